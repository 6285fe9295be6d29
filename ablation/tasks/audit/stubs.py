"""Candidates that solve nothing: the empty solution, and functions that ignore what they are asked.

They run beside the tests, so that nothing of a task's own code is in them but names. What the verifier does not let a
candidate's object judge, equality with what is none of its own, they do not judge either.
"""

import ast
import builtins
import copy
import re
from typing import NamedTuple

from ablation.tasks.audit.source import FUNCTION, definitions, names_used_of, parse, top_level_names
from ablation.tasks.audit.values import claims
from ablation.tasks.task import Task

_ARGUMENT = "the argument"
_ANSWERS = {
    "None": "return None",
    "[]": "return []",
    "0": "return 0",
    "''": "return ''",
    "True": "return True",
    "False": "return False",
    _ARGUMENT: "return {argument}",
    "raising NotImplementedError": "raise NotImplementedError",
    "raising ValueError": "raise ValueError",
}
_LAST_RAISING = "raising ValueError"
_RARER = ("{}", "()", "set()", "-1")  # answers that are tried where they stand in the tests
_OF_ERRORS = re.compile("error|exception|raise|suppress|catch|fail", re.IGNORECASE)
_RARE_NODES = ast.Dict | ast.Tuple | ast.Call | ast.UnaryOp
MAX_LITERAL_CHARS = 80
_EQUALITIES = ("__eq__", "__ne__")
_KEPT_DECORATORS = ("staticmethod", "classmethod", "property")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Stub(NamedTuple):
    """The source of a module that should earn nothing, and what to call it."""

    label: str
    source: str


def fenced(source: str) -> str:
    """A module's source as a completion, in a fence longer than any inside it."""
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", source))])
    return f"{ticks}python\n{source.rstrip()}\n{ticks}\n"


def stubs(task: Task) -> list[Stub]:
    """An empty module, one of names with nothing behind them, and modules whose functions take the reference's
    arguments and answer without looking at them; those that no test can tell apart once.

    Every name that the tests use of the module is there, so that a stub is not saved by a failing import.
    """
    reference, tests = parse(task.reference), parse(task.tests)
    known = definitions(parse(task.prompt + "    pass\n")) | definitions(reference)
    names = {task.entry_point} | (names_used_of(task.module, tests, top_level_names(reference)) if tests else set())
    known.setdefault(task.entry_point, _anything(task.entry_point))
    found = [
        Stub("an empty module", ""),
        Stub("a module without functions", "".join(f"{n} = None\n" for n in sorted(names))),
    ]
    rarer = (
        {text: "return " + text.replace("{", "{{").replace("}", "}}") for text in _expected(task, tests)}
        if tests
        else {}
    )
    for label, answer in (_ANSWERS | rarer).items():
        if label == _LAST_RAISING and tests is not None and not _tells_errors_apart(tests):
            continue  # it does what the other does
        parts = [
            ast.unparse(_stubbed(known[name], answer)) if name in known else f"{name} = None" for name in sorted(names)
        ]
        verb = label if label.startswith("raising") else f"returning {label}"
        found.append(Stub(verb, "\n\n".join(parts)))
    return list({stub.source: stub for stub in reversed(found)}.values())[::-1]


def _expected(task: Task, tests: ast.Module) -> list[str]:
    """Answers beyond the usual ones that may earn something: rarer empty values, and what every test expects."""
    found = {ast.unparse(node) for node in ast.walk(tests) if isinstance(node, _RARE_NODES)}
    values = {claim.value for claim in claims(task.tests, tests)}
    constant = {literal for value in values if (literal := _literal(value))} if len(values) == 1 else set()
    return sorted({text for text in _RARER if text in found} | (constant - set(_ANSWERS)))


def _literal(text: str) -> str:
    """The text of a literal without blanks between its tokens; empty where it is none, or long."""
    try:
        return ast.unparse(ast.parse(text, mode="eval")) if 0 < len(text) <= MAX_LITERAL_CHARS else ""
    except (SyntaxError, ValueError):
        return ""


def _tells_errors_apart(tests: ast.Module) -> bool:
    """Whether something in the tests may catch an error, or names one."""
    for node in ast.walk(tests):
        if isinstance(node, ast.Try | ast.TryStar | ast.With | ast.AsyncWith):
            return True
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if _OF_ERRORS.search(name):
            return True
    return False


def _anything(name: str) -> _Definition:
    return definitions(ast.parse(f"def {name}(*args, **kwargs): pass"))[name]


def _stubbed(node: _Definition, answer: str, *, method: bool = False) -> _Definition:
    """A copy that keeps name and arguments, without annotations and defaults that need other names."""
    node = copy.copy(node)
    if isinstance(node, ast.ClassDef):
        methods: list[ast.stmt] = [
            _stubbed(inner, answer, method=True) for inner in node.body if isinstance(inner, FUNCTION)
        ]
        node.bases = [b for b in node.bases if isinstance(b, ast.Name) and isinstance(vars(builtins).get(b.id), type)]
        node.keywords, node.decorator_list, node.body = [], [], methods or [ast.Pass()]
        return node
    decorators = [name for d in node.decorator_list if (name := ast.unparse(d)) in _KEPT_DECORATORS and method]
    node.decorator_list = [ast.Name(name, ast.Load()) for name in decorators]
    node.returns = None
    node.args = _simplified(node.args)
    skipped = 1 if method and "staticmethod" not in decorators else 0
    statement = "pass" if method and node.name == "__init__" else answer
    if method and node.name in _EQUALITIES:
        statement = f"if type({{argument}}) is not type({{owner}}): return NotImplemented\n{answer}"
    owner = node.args.args[0].arg if node.args.args else "None"
    node.body = ast.parse(statement.format(argument=_first_argument(node.args, skipped), owner=owner)).body
    return node


def _simplified(arguments: ast.arguments) -> ast.arguments:
    def bare(argument: ast.arg | None) -> ast.arg | None:
        return argument and ast.arg(argument.arg)

    return ast.arguments(
        posonlyargs=[ast.arg(argument.arg) for argument in arguments.posonlyargs],
        args=[ast.arg(argument.arg) for argument in arguments.args],
        vararg=bare(arguments.vararg),
        kwonlyargs=[ast.arg(argument.arg) for argument in arguments.kwonlyargs],
        kw_defaults=[default and ast.Constant(None) for default in arguments.kw_defaults],
        kwarg=bare(arguments.kwarg),
        defaults=[ast.Constant(None) for _ in arguments.defaults],
    )


def _first_argument(arguments: ast.arguments, skipped: int) -> str:
    names = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]][skipped:]
    if names:
        return names[0]
    return f"{arguments.vararg.arg}[0] if {arguments.vararg.arg} else None" if arguments.vararg else "None"
