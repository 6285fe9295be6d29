"""What a Python source imports, calls and tests, read from its syntax tree without running it."""

import ast
import builtins
import copy
from collections.abc import Iterator
from functools import lru_cache

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_IMPORT_FAILURES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@lru_cache(maxsize=64)
def parse(source: str | None) -> ast.Module | None:
    """The tree of ``source``, not to be changed; None where there is none: what runs it says why it cannot."""
    try:
        return ast.parse(source) if source is not None else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def required_imports(tree: ast.AST) -> set[str]:
    """Dotted names of imported modules, without those that the source can do without.

    Left out: relative imports, imports under ``TYPE_CHECKING``, and those in a ``try`` that catches their failure.
    """
    if isinstance(tree, ast.Import):
        return {alias.name for alias in tree.names}
    if isinstance(tree, ast.ImportFrom):
        return {tree.module} if tree.module and not tree.level else set()
    found: set[str] = set()
    for child in _required_children(tree):
        found |= required_imports(child)
    return found


def _required_children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Try) and any(_catches_imports(handler) for handler in node.handlers):
        yield from [*node.orelse, *node.finalbody]
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        yield from node.orelse
    else:
        yield from _statements(node)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """What a statement is made of besides expressions, in which there are no imports."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        yield from getattr(node, name, ())


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if isinstance(handler.body[-1], ast.Raise):
        return False  # with an explanation, but it fails
    if handler.type is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in _IMPORT_FAILURES for node in ast.walk(handler.type))


def imports(tree: ast.AST) -> set[str]:
    """Dotted names of all modules that are imported anywhere, relative ones left out."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def called_names(tree: ast.Module) -> set[str]:
    """Dotted names of what is called, with imported names spelled out: ``urlopen`` is ``urllib.request.urlopen``."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    called = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node.func).partition(".")
            called.add(aliases.get(first, first) + dot + rest)
    return called


def without_docstrings(tree: ast.Module) -> str:
    """The source in one layout, without comments and strings that stand by themselves."""

    class _Strip(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
            text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            return None if text else node

    return ast.unparse(_Strip().visit(copy.deepcopy(tree)))


def count_tests(tree: ast.Module) -> int:
    """How many functions pytest would call as tests, before it multiplies out parameters."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Module) or (isinstance(node, ast.ClassDef) and _holds_tests(node)):
            count += sum(isinstance(inner, FUNCTION) and inner.name.startswith("test") for inner in node.body)
    return count


def _holds_tests(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)


def names_used_of(module: str, tests: ast.Module, defined: set[str]) -> set[str]:
    """Names of ``module`` that the tests import or read as its attributes, without dunder names.

    ``defined`` is what the reference defines: after ``from module import *`` those names count that the tests use.
    """
    used: set[str] = set()
    handles: set[str] = set()
    inner = list(_statements(tests))
    for node in inner:
        inner.extend(_statements(node))
        if isinstance(node, ast.ImportFrom) and node.module == module:
            names = {alias.name for alias in node.names}
            used |= (defined & _free_names(tests)) if "*" in names else names
        elif isinstance(node, ast.Import):
            handles |= {alias.asname or alias.name for alias in node.names if alias.name == module}
    for node in ast.walk(tests) if handles else ():
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in handles:
            used.add(node.attr)
    return {name for name in used if not name.startswith("__")}


def _free_names(tree: ast.Module) -> set[str]:
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, FUNCTION | ast.ClassDef)}
    return {node.id for node in names} - bound - set(dir(builtins))


def definitions(tree: ast.Module | None) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes at the top of a module, by name."""
    return {node.name: node for node in (tree.body if tree else []) if isinstance(node, FUNCTION | ast.ClassDef)}


def top_level_names(tree: ast.Module | None) -> set[str]:
    """Names that a module defines at its top: functions, classes and assigned names."""
    assigned = (node for node in (tree.body if tree else []) if isinstance(node, ast.Assign | ast.AnnAssign))
    names = (inner for node in assigned for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)} | set(definitions(tree))
