"""Wrong variants of a module, made mechanically by changing one place of its syntax tree."""

import ast
import copy
import random
from collections.abc import Callable, Iterator

_COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_DROPPABLE = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Delete)
_NOT_BEHAVIOUR = {"annotation", "returns", "keywords", "decorator_list", "bases", "type_comment", "format_spec"}

Change = Callable[[], None]


def mutants(source: str, n: int, seed: int = 0) -> list[str]:
    """At most `n` different variants of `source`, each valid syntax with one place changed.

    The same (source, n, seed) give the same list, and a larger `n` only adds to it. A variant may still behave like
    its source: only tests can tell. SyntaxError where `source` has one.
    """
    tree = ast.parse(source)
    order = list(range(len(list(_changes(copy.deepcopy(tree))))))
    random.Random(seed).shuffle(order)
    seen = {ast.unparse(tree)}
    found: list[str] = []
    for index in order:
        if len(found) == n:
            break
        variant = copy.deepcopy(tree)
        list(_changes(variant))[index]()
        text = ast.unparse(ast.fix_missing_locations(variant))
        if text not in seen and _compiles(text):
            seen.add(text)
            found.append(text)
    return found


def _compiles(text: str) -> bool:
    try:
        compile(text, "<mutant>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _changes(tree: ast.AST, inside: bool = False) -> Iterator[Change]:
    """Every change that applies below `tree`, in the order of the source; `inside` a function's body."""
    inside = inside or isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    for field, value in ast.iter_fields(tree):
        if field in _NOT_BEHAVIOUR:
            continue
        children = value if isinstance(value, list) else [value]
        for i, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_docstring(tree, field, i):
                continue
            yield from _changes_of(child)
            if inside and isinstance(child, _DROPPABLE) and field in ("body", "orelse", "finalbody"):
                yield _setter(value, i, ast.Pass())
            yield from _changes(child, inside)


def _changes_of(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                yield _setter(ops, i, _COMPARISONS[type(op)]())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _ARITHMETIC:
            yield _attribute(node, "op", _ARITHMETIC[type(op)]())
        case ast.BoolOp(op=op):
            yield _attribute(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield _attribute(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=ifs):
            for i, test in enumerate(ifs):
                yield _setter(ifs, i, ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield _attribute(node, "value", ast.Constant(None))
        case ast.Constant(value=bool() as value):
            yield _attribute(node, "value", not value)
        case ast.Constant(value=int() | float() as value):
            yield _attribute(node, "value", value + 1)
            yield _attribute(node, "value", value - 1)
        case ast.Constant(value=str() as value):
            yield _attribute(node, "value", value + "x" if value else "x")
        case ast.Break():
            yield _attribute(node, "__class__", ast.Continue)
        case ast.Continue():
            yield _attribute(node, "__class__", ast.Break)
        case ast.Call(args=[first, second, *_]) if not any(isinstance(a, ast.Starred) for a in (first, second)):
            yield _swapped(node.args)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_docstring(parent: ast.AST, field: str, index: int) -> bool:
    if (
        field != "body"
        or index != 0
        or not isinstance(parent, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ):
        return False
    return ast.get_docstring(parent, clean=False) is not None


def _setter(values: list, index: int, new: ast.AST) -> Change:
    return lambda: values.__setitem__(index, new)


def _attribute(node: ast.AST, name: str, new: object) -> Change:
    return lambda: setattr(node, name, new)


def _swapped(arguments: list) -> Change:
    def swap() -> None:
        arguments[0], arguments[1] = arguments[1], arguments[0]

    return swap
