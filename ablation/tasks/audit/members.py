"""What the tests use of the solution's classes and functions beyond their names: members and keywords."""

import ast
import builtins
from collections.abc import Iterator

from ablation.tasks.audit.source import FUNCTION, definitions, names_used_of, parse, top_level_names
from ablation.tasks.task import Task

_COMMON = frozenset(name for kind in vars(builtins).values() if isinstance(kind, type) for name in dir(kind))


def members_used(task: Task) -> set[str]:
    """Methods and attributes that the reference defines and the tests use, and keywords that they pass to it.

    An attribute that builtin types have too counts only on what the tests make of a class of the reference.
    """
    tests, reference = parse(task.tests), parse(task.reference)
    if tests is None or reference is None:
        return set()
    known = definitions(reference)
    own = names_used_of(task.module, tests, top_level_names(reference)) | {task.entry_point}
    classes = {name: node for name, node in known.items() if isinstance(node, ast.ClassDef)}
    members = {member for node in classes.values() for member in _members(node)}
    made = set(_made_of(tests, set(classes)))
    used = {
        node.attr
        for node in (ast.walk(tests) if members else ())
        if isinstance(node, ast.Attribute) and node.attr in members
        if node.attr not in _COMMON or ast.unparse(node.value) in made or _calls(node.value, set(classes))
    }
    return used | set(_keywords(tests, own & set(known), known))


def _members(node: ast.ClassDef) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, FUNCTION) and inner in node.body:
            names = [inner.name]
        elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            names = [inner.attr] if ast.unparse(inner.value) == "self" else []
        elif isinstance(inner, ast.Assign | ast.AnnAssign) and inner in node.body:
            targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("__"))


def _made_of(tests: ast.Module, classes: set[str]) -> Iterator[str]:
    """How the tests call what they make of a class: variables, attributes of ``self``, fixtures."""
    for node in ast.walk(tests):
        if isinstance(node, ast.Assign) and _calls(node.value, classes):
            yield from (ast.unparse(target) for target in node.targets)
        elif isinstance(node, ast.withitem) and _calls(node.context_expr, classes) and node.optional_vars:
            yield ast.unparse(node.optional_vars)
        elif isinstance(node, FUNCTION):
            given = [
                inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return | ast.Yield) and inner.value
            ]
            if any(_calls(value, classes) for value in given):
                yield node.name


def _calls(node: ast.expr, classes: set[str]) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in classes


def _keywords(
    tests: ast.Module, own: set[str], known: dict[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]
) -> Iterator[str]:
    called_as = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tests)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tests):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            target = known.get(called_as.get(name, name)) if called_as.get(name, name) in own else None
            if target is not None and not _takes_any(target):
                yield from (word.arg for word in node.keywords if word.arg is not None)


def _takes_any(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return any(isinstance(inner, ast.arguments) and inner.kwarg is not None for inner in ast.walk(node))
