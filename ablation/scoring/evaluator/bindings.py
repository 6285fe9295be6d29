"""Where a test file gets names from the candidate's module, and whether it uses them while being imported.

A file that only imports names can be collected once, without a candidate; for each candidate the names are
bound anew. A file that calls the candidate, derives from its classes or parametrises over its values while
being imported has to be imported for each candidate.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple


class Binding(NamedTuple):
    """``name`` of the test file is ``attribute`` of the candidate's module, or the module itself (None)."""

    name: str
    attribute: str | None


class ImportTimeUseError(Exception):
    """The test file needs a candidate while being imported; the message says for what."""


def bindings(tree: ast.Module, module: str) -> list[Binding]:
    """What the test file imports of ``module``, in order. Raises ImportTimeUseError."""
    found = [binding for statement in tree.body for binding in _bound(statement, module)]
    names = {binding.name for binding in found}
    for statement in tree.body:
        for node in _run_at_import(statement):
            if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
                raise ImportTimeUseError(f"line {node.lineno} uses {node.id} while the tests are imported")
            if isinstance(node, ast.Import | ast.ImportFrom) and node is not statement and _mentions(node, module):
                raise ImportTimeUseError(f"line {node.lineno} imports from {module} in a block")
    return found


def _bound(statement: ast.stmt, module: str) -> Iterator[Binding]:
    parent, _, last = module.rpartition(".")
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.name == module and (alias.asname or not parent):
                yield Binding(alias.asname or alias.name, None)
            elif alias.name.partition(".")[0] == module.partition(".")[0]:
                raise ImportTimeUseError(f"line {statement.lineno} imports {alias.name}")
    elif isinstance(statement, ast.ImportFrom):
        for alias in statement.names:
            if statement.module == module and not statement.level:
                if alias.name == "*":
                    raise ImportTimeUseError(f"line {statement.lineno} imports all names of {module}")
                yield Binding(alias.asname or alias.name, alias.name)
            elif parent and statement.module == parent and alias.name == last:
                yield Binding(alias.asname or alias.name, None)


def _mentions(node: ast.Import | ast.ImportFrom, module: str) -> bool:
    root = module.partition(".")[0]
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] == root for alias in node.names)
    return (node.module or "").partition(".")[0] == root


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are evaluated when the statement is: not the bodies of functions, nor annotations."""
    yield node
    for field, value in ast.iter_fields(node):
        deferred = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and field == "body"
        if deferred or field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _run_at_import(child)


def imported_names(tree: ast.Module, module: str) -> list[str]:
    """All names of ``module`` that the file imports anywhere; ``*`` for all."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == module]
    return list(dict.fromkeys(alias.name for node in nodes for alias in node.names))
