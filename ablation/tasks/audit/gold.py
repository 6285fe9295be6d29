"""Whether the solution can be copied from the instruction."""

import ast
import builtins
import keyword
import re
from difflib import SequenceMatcher

from ablation.tasks.audit.source import FUNCTION, definitions, parse
from ablation.tasks.task import Task

SHARE = 0.8  # of the solution's tokens, in one run
MIN_RUN = 10  # tokens; shorter runs are formulas, which an instruction may state
MIN_RENAMED_RUN = 18  # tokens, where names do not count
MIN_LINES = 3  # tokens of a solution that stands in lines of its own; less is `return x`
_TOKEN = re.compile(r"\d+\.\d+|\w+|[^\w\s]")
_COMMENT = re.compile(r"#.*")
_QUOTED = re.compile(
    r"^[ \t]*(?:[>#|*+]+|//|\d+(?:[.:|)]|(?=[ \t])))[ \t]?", re.MULTILINE
)  # before a line that is shown
_KEPT = frozenset([*keyword.kwlist, *dir(builtins), "self"])


def tokens(text: str) -> list[str]:
    """Words, numbers and signs of code or prose, whatever its layout, comments and kind of quotes."""
    return _TOKEN.findall(_COMMENT.sub("", text).replace('"', "'"))


def copied(task: Task) -> str:
    """How the instruction gives the solution away, or an empty string.

    Every function body of the entry point is compared, without docstrings and comments: it is given away when its
    lines stand in the instruction as lines, or when one run of tokens holds most of it, be it with other names. In the
    instruction the signs of quotations, patches, comments and lists before a line do not count, nor does it matter
    whether line ends are written as in JSON.
    """
    bodies = _bodies(task)
    unfolded = task.prompt.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    for instruction in dict.fromkeys([task.prompt, _QUOTED.sub("", task.prompt), unfolded]):
        ways = [_way(body, instruction) for body in bodies]
        if ways and all(ways):
            return ways[0]
    return ""


def _bodies(task: Task) -> list[str]:
    node = definitions(parse(task.reference)).get(task.entry_point)
    if node is None:
        return []
    functions = [inner for inner in ast.walk(node) if isinstance(inner, FUNCTION)]
    if isinstance(node, FUNCTION):
        functions = [node]
    bodies = (_text(task.reference or "", function) for function in functions)
    return [body for body in bodies if len(tokens(body)) >= MIN_LINES]


def _text(source: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    code = [statement for statement in function.body if not _is_text(statement)]
    return "\n".join(ast.get_source_segment(source, statement) or "" for statement in code)


def _is_text(statement: ast.stmt) -> bool:
    """Whether it is a string by itself, which need not come first to be meant as a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _way(body: str, instruction: str) -> str:
    lines, said = _lines(body), _lines(instruction)
    if any(said[start : start + len(lines)] == lines for start in range(len(said))):
        return f"the {len(lines)} lines of the solution stand in the instruction"
    wanted, found = tokens(body), tokens(instruction)
    run = _longest_run(wanted, found)
    if run >= max(MIN_RUN, SHARE * len(wanted)):
        return f"{run} of the solution's {len(wanted)} tokens stand in the instruction in one run"
    if len(wanted) >= MIN_RENAMED_RUN:
        run = _longest_run(_nameless(wanted), _nameless(found))
        if run >= max(MIN_RENAMED_RUN, SHARE * len(wanted)):
            return f"{run} of the solution's {len(wanted)} tokens stand in the instruction, with other names"
    return ""


def _longest_run(wanted: list[str], found: list[str]) -> int:
    return SequenceMatcher(None, wanted, found, autojunk=False).find_longest_match().size


def _nameless(words: list[str]) -> list[str]:
    """With ``_`` for every name that its author may have chosen: not of the language, and no attribute."""
    chosen = (
        word.isidentifier() and word not in _KEPT and before != "."
        for before, word in zip(["", *words], words, strict=False)
    )
    return ["_" if free else word for free, word in zip(chosen, words, strict=True)]


def _lines(text: str) -> list[list[str]]:
    return [found for line in text.split("\n") if (found := tokens(line))]
