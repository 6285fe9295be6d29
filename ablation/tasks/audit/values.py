"""Whether what the tests expect can be copied from the instruction."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ablation.tasks.audit.gold import tokens
from ablation.tasks.audit.source import FUNCTION, parse
from ablation.tasks.task import Task

SHARE = 0.8  # of what the tests claim
MIN_CLAIMS = 3  # fewer are examples
MIN_PAIR = 6  # tokens of arguments and answer, above which others may stand between them
MIN_CHARACTERS = 8  # of the answers, where they stand alone in a row,
MIN_ANSWERS = 6  # or so many of them with nothing but commas between
_GAP = r"(?:\S+ ){0,%d}?"  # tokens between an argument and the next, or the answer
_EQUALITIES = ("assertEqual", "assertEquals", "assertIs", "assertListEqual", "assertDictEqual", "assertAlmostEqual")


class Claim(NamedTuple):
    """What a test asserts: the arguments of the call, what must come of it, and both as they are written."""

    arguments: tuple[str, ...]
    value: str
    text: str = ""


def values_given(task: Task) -> str:
    """How the instruction gives the expected values away, or an empty string.

    It does when most claims of the tests stand in it, as written or as arguments followed by the answer, or when all
    answers stand in it in a row. An example or two do not.
    """
    tree = parse(task.tests)
    said = f" {' '.join(tokens(task.prompt))} "
    # A claim without a literal answer, `f(x) == expected`, repeats what stands elsewhere, unless it is shown as it is.
    made = [claim for claim in claims(task.tests, tree) if claim.value or _is_given(claim, said)] if tree else []
    if len(made) < MIN_CLAIMS:
        return ""
    given = sum(_is_given(claim, said) for claim in made)
    if given >= SHARE * len(made):
        return f"{given} of the {len(made)} answers that the tests expect stand in the instruction"
    values = [claim.value for claim in made]
    gap = 2 if len("".join(values)) >= MIN_CHARACTERS else 1 if len(values) >= MIN_ANSWERS else None
    if gap is not None and len(set(values)) >= MIN_CLAIMS and _follow(values, gap, said):
        return f"the {len(made)} answers that the tests expect stand in the instruction in a row"
    return ""


def _is_given(claim: Claim, said: str) -> bool:
    if claim.text and f" {claim.text} " in said:
        return True
    if not (claim.arguments and claim.value):
        return False
    parts = [*claim.arguments, claim.value]
    short = len(" ".join(parts).split()) < MIN_PAIR  # may stand there by chance
    return _follow(parts, 3 if short else 8, said)


def _follow(parts: Sequence[str], gap: int, said: str) -> bool:
    """Whether the parts stand in the text one after the other, with at most so many tokens between two."""
    if not all(f" {part} " in said for part in parts):
        return False
    pattern = (_GAP % gap).join(f"{re.escape(part)} " for part in parts)
    return re.search(rf"(?<= ){pattern}", said) is not None


def claims(source: str, tree: ast.Module) -> Iterator[Claim]:
    """What the tests in ``source`` assert by comparing with something."""
    named = _named_calls(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) and len(node.test.comparators) == 1:
            sides = _near(node.test.left) or (node.test.left, node.test.comparators[0])
            left, right = (named.get(side, side) for side in sides)
            yield _claim(left, right, _words(source, node.test))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _EQUALITIES and len(node.args) >= 2:
                sides = node.args[0], node.args[1]
                left, right = (named.get(side, side) for side in sides)
                yield _claim(left, right, _words(source, node))
            elif node.func.attr == "parametrize" and len(node.args) >= 2:
                yield from _rows(node.args[1])


def _named_calls(tree: ast.Module) -> dict[ast.expr, ast.expr]:
    """For each use of a name what was assigned to it last before that, in the same function, if that has a call."""
    found: dict[ast.expr, ast.expr] = {}
    for function in ast.walk(tree):
        if isinstance(function, FUNCTION):
            assigned: dict[str, ast.expr] = {}
            for node in sorted(ast.walk(function), key=_line):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in assigned:
                    found[node] = assigned[node.id]
                elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _calls(node.value):
                    assigned[node.targets[0].id] = node.value
    return found


def _calls(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) for inner in ast.walk(node))


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _near(left: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """Both sides of ``abs(a - b)``, which is compared with a tolerance."""
    if isinstance(left, ast.Call) and ast.unparse(left.func) == "abs" and isinstance(left.args[0], ast.BinOp):
        return left.args[0].left, left.args[0].right
    return None


def _claim(left: ast.expr, right: ast.expr, text: str) -> Claim:
    if _answer(left) is not None and _answer(right) is None:
        left, right = right, left
    calls = (node for node in ast.walk(left) if isinstance(node, ast.Call))
    known = (call.args for call in calls if call.args and all(map(_is_literal, call.args)))
    answer = _answer(right)
    return Claim(tuple(map(_text, next(known, []))), _text(answer) if answer is not None else "", text)


def _answer(node: ast.expr) -> ast.expr | None:
    """The literal that a side of a comparison is, by itself or as ``approx(literal)``."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("approx") and node.args:
        node = node.args[0]
    return node if _is_literal(node) else None


def _rows(table: ast.expr) -> Iterator[Claim]:
    """The rows of a parametrised test: the last cell is the answer."""
    for row in table.elts if isinstance(table, ast.List | ast.Tuple) else ():
        if isinstance(row, ast.Tuple) and len(row.elts) > 1 and all(map(_is_literal, row.elts)):
            *cells, answer = row.elts
            if len(cells) == 1 and isinstance(cells[0], ast.Tuple):
                cells = cells[0].elts
            yield Claim(tuple(map(_text, cells)), _text(answer))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _text(node: ast.AST) -> str:
    return " ".join(tokens(ast.unparse(node)))


def _words(source: str, node: ast.AST) -> str:
    return " ".join(tokens(ast.get_source_segment(source, node) or ""))
