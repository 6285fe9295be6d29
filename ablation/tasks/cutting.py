"""A function that asserts many things, cut into tests of one assertion each, so that partial credit can be given.

A test has its assertion, the loops, conditions and ``with`` blocks around it, and those statements before it that have
to do with its local names. Assertions stay in one test where an earlier one may change what a later one looks at: it
hands a local object to a call, and that object matters to the later one too. Assertions that are constant say nothing
and are left out. What is assumed: that the candidate keeps no state from one call to the next.
"""

import ast
import copy
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_BLOCKS = ast.For | ast.While | ast.With | ast.If
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
# A function with one of these is no plain list of statements.
_UNCUTTABLE = (
    ast.Return | ast.Yield | ast.YieldFrom | ast.Await | ast.Global | ast.Nonlocal | ast.AsyncFor | ast.AsyncWith
)
_HARMLESS = {
    "len",
    "isinstance",
    "abs",
    "round",
    "type",
    "str",
    "repr",
    "deepcopy",
}  # leave their arguments as they are


class Cut(NamedTuple):
    """Bodies of tests, in order, and why some of their assertions stay together; empty where none does."""

    bodies: tuple[tuple[ast.stmt, ...], ...]
    joined: str


class _Group(NamedTuple):
    leaves: tuple[ast.stmt, ...]
    body: tuple[ast.stmt, ...]
    needed: frozenset[str]  # names that matter to it, of objects that calls may change


def cut(body: Sequence[ast.stmt], helpers: Iterable[str] = (), outer: Iterable[str] = ()) -> Cut:
    """The tests that the statements of a function make; none where nothing is asserted.

    Args:
        helpers: functions outside whose calls are assertions, because they assert something.
        outer: names outside of objects that calls may change.
    """
    asserting = set(helpers) | asserting_functions(body)
    leaves = [leaf for statement in body for leaf in _leaves(statement, asserting)]
    local = {name for statement in body for name in _bound(statement)} | set(outer)
    changing = local - _constants(body)
    if len(leaves) < 2 or (odd := _oddity(body, changing)):
        return Cut((tuple(body),) if leaves else (), "" if len(leaves) < 2 else f"the check has {odd}")
    groups: list[_Group] = []
    shared: set[str] = set()
    for leaf in leaves:
        group = _group(body, [leaf], leaves, local, changing)
        # A merged group needs more, so that another may have to join.
        while clashing := {id(other): names for other in groups if (names := _clash(other, group, body) & changing)}:
            shared |= set().union(*clashing.values())
            merged = [leaf for other in groups if id(other) in clashing for leaf in other.leaves] + list(group.leaves)
            groups = [other for other in groups if id(other) not in clashing]
            group = _group(body, merged, leaves, local, changing)
        groups.append(group)
    groups.sort(key=lambda group: leaves.index(group.leaves[0]))
    together = sum(len(group.leaves) for group in groups if len(group.leaves) > 1)
    why = f"{together} of its {len(leaves)} assertions share {', '.join(sorted(shared))}" if together else ""
    return Cut(tuple(group.body for group in groups), why)


def asserting_functions(body: Iterable[ast.stmt]) -> set[str]:
    """Names of the functions among ``body`` that assert something, themselves or by calling another."""
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    found: set[str] = set()
    for _ in functions:
        found |= {node.name for node in functions if any(_asserts(inner, found) for inner in ast.walk(node))}
    return found


def _asserts(node: ast.AST, asserting: set[str]) -> bool:
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant) or not node.test.value
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.With):
        return any(re.search(r"[rR]aises|warns", ast.unparse(item.context_expr)) for item in node.items)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = ast.unparse(node.value.func)
        return name in asserting or name.rpartition(".")[2].lower().startswith("assert")
    return False


def _leaves(statement: ast.stmt, asserting: set[str]) -> list[ast.stmt]:
    """The assertions in a statement; one that asserts and is no block is one itself, whatever it is made of."""
    if isinstance(statement, _SCOPES):
        return []
    if isinstance(statement, _BLOCKS) and not _asserts(statement, asserting):
        inner = [*statement.body, *getattr(statement, "orelse", [])]
        return [leaf for node in inner for leaf in _leaves(node, asserting)]
    return [statement] if any(_asserts(node, asserting) for node in _own_nodes(statement)) else []


def _own_nodes(node: ast.AST) -> Iterable[ast.AST]:
    """A node and those beneath it, without what is inside of functions and classes."""
    yield node
    if not isinstance(node, _SCOPES):
        for child in ast.iter_child_nodes(node):
            yield from _own_nodes(child)


def _group(
    body: Sequence[ast.stmt], kept: Sequence[ast.stmt], leaves: Sequence[ast.stmt], local: set[str], changing: set[str]
) -> _Group:
    """The test of the assertions ``kept``: a slice backwards by the local names that matter."""
    dropped = {id(leaf) for leaf in leaves} - {id(leaf) for leaf in kept}
    last = max(at for at, statement in enumerate(body) if any(_holds(statement, leaf) for leaf in kept))
    needed: set[str] = set()
    chosen: list[ast.stmt] = []
    for statement in reversed(body[: last + 1]):
        without = _without(statement, dropped)
        if without is None:
            continue
        names, given = _names(without) & local, _bound(without) & local
        uses = set() if isinstance(without, _DEFINITIONS) else names & changing
        if (given | uses) & needed or any(_holds(statement, leaf) for leaf in kept):
            needed |= names
            chosen.append(without)
    return _Group(tuple(kept), tuple(reversed(chosen)), frozenset(needed & changing))


def _clash(earlier: _Group, later: _Group, body: Iterable[ast.stmt]) -> set[str]:
    """Names of objects that one of two groups may change and the other looks at afterwards, be it in the next round."""
    around = [statement for statement in body if isinstance(statement, ast.For | ast.While)]
    rounds = any(_holds(loop, earlier.leaves[-1]) and _holds(loop, later.leaves[0]) for loop in around)
    return (_touched(earlier.leaves) & later.needed) | (_touched(later.leaves) & earlier.needed if rounds else set())


def _oddity(body: Iterable[ast.stmt], changing: set[str]) -> str:
    """What makes a function more than a list of statements, or an empty string."""
    for node in (node for statement in body for node in _own_nodes(statement)):
        if isinstance(node, _UNCUTTABLE):
            return f"a {type(node).__name__.lower()}"
        if isinstance(node, ast.FunctionDef):
            inner = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
            inner |= {name for statement in node.body for name in _bound(statement)}
            if over := (_names(node) - inner) & changing:
                return f"a function over {', '.join(sorted(over))}"
    return ""


def _holds(statement: ast.stmt, leaf: ast.stmt) -> bool:
    return any(node is leaf for node in ast.walk(statement))


def _without(statement: ast.stmt, dropped: set[int]) -> ast.stmt | None:
    """A statement without some of its assertions; None where nothing is left of it."""
    if id(statement) in dropped or _is_trivial(statement):
        return None
    if not isinstance(statement, _BLOCKS):
        return statement
    changed = copy.copy(statement)
    changed.body = [kept for node in statement.body if (kept := _without(node, dropped)) is not None]
    if isinstance(changed, ast.For | ast.While | ast.If):
        changed.orelse = [kept for node in changed.orelse if (kept := _without(node, dropped)) is not None]
        if not changed.body and not changed.orelse:
            return None
    elif not changed.body:
        return None
    changed.body = changed.body or [ast.Pass()]
    return changed


def _is_trivial(statement: ast.stmt) -> bool:
    """Whether it is an assertion of a constant, a docstring or ``pass``."""
    if isinstance(statement, ast.Assert):
        return isinstance(statement.test, ast.Constant) and bool(statement.test.value)
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _bound(statement: ast.AST) -> set[str]:
    """Names that a statement gives a value to, outside of functions and classes in it."""
    found: set[str | None] = set()
    for node in _own_nodes(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
            found.add(node.name)
    return {name for name in found if name}


def _names(statement: ast.AST) -> set[str]:
    """Names that a statement mentions in any way."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} | _bound(statement)


def _constants(body: Iterable[ast.stmt]) -> set[str]:
    """Local names that no call changes: of numbers and strings, functions, classes and modules, but not random's."""
    fixed: set[str] = set()
    loose: set[str] = set()
    for statement in body:
        for node in _own_nodes(statement):
            if isinstance(node, ast.Assign) and not isinstance(node.value, ast.List) and _is_constant(node.value):
                fixed |= _bound(node)
            elif isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
                fixed |= _bound(node) if "random" not in ast.unparse(node) else set()
            elif isinstance(node, ast.stmt) and not isinstance(node, _BLOCKS | ast.Try):
                loose |= _bound(node)
            elif isinstance(node, ast.For):
                (fixed if _is_constant(node.iter) else loose).update(_bound(node.target))
            elif isinstance(node, ast.withitem | ast.NamedExpr | ast.ExceptHandler):
                loose |= _bound(node)
    return fixed - loose


def _is_constant(value: ast.expr) -> bool:
    """Whether it is made of numbers and strings alone, or a list or range of them whose items are taken."""
    if isinstance(value, ast.Tuple | ast.List):
        return all(map(_is_constant, value.elts))
    if isinstance(value, ast.UnaryOp):
        return _is_constant(value.operand)
    if isinstance(value, ast.BinOp):
        return _is_constant(value.left) and _is_constant(value.right)
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "range"
    return isinstance(value, ast.Constant | ast.JoinedStr)


def _touched(leaves: Iterable[ast.stmt]) -> set[str]:
    """Names of objects that assertions may change: they are handed to a call, or given a value."""
    found: set[str] = set()
    for leaf in leaves:
        found |= _bound(leaf)
        for node in ast.walk(leaf):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] not in _HARMLESS:
                found |= {inner.id for inner in _reached(node)}
    return found


def _reached(call: ast.AST) -> Iterable[ast.Name]:
    """Names in a call, but not those of which it only gets a copy or a measure."""
    for child in ast.iter_child_nodes(call):
        if isinstance(child, ast.Name):
            yield child
        elif not (isinstance(child, ast.Call) and ast.unparse(child.func).rpartition(".")[2] in _HARMLESS):
            yield from _reached(child)
