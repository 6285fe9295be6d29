"""``tasks=humaneval``: HumanEval's format (Chen et al. 2021, arXiv 2107.03374), one JSON object a line.

Strings ``task_id``, ``prompt`` (signature and docstring), ``entry_point``, ``canonical_solution`` (the body; null or
absent where none is shipped) and ``test``, which defines ``check(candidate)``. Each assertion of ``check`` becomes a
test. Functions that the prompt defines beside the entry point come with the tests, so that a candidate does not
answer for them.
"""

import ast
from collections.abc import Iterator

from ablation.config import TasksConfig
from ablation.tasks.audit.source import parse
from ablation.tasks.cutting import Cut, asserting_functions, cut
from ablation.tasks.jsonl import Entry, read_entries
from ablation.tasks.reading import Fault, Read, TaskError
from ablation.tasks.task import Task

TIMEOUT_S = 10.0
MODULE = "solution"


def read_tasks(config: TasksConfig) -> Iterator[Read | Fault]:
    """The tasks in the files at ``tasks.path``, line by line. Raises ConfigError."""
    return read_entries(config, lambda where, entry: make_task(where, entry, config.max_timeout_s))


def make_task(where: str, entry: Entry, max_timeout_s: float | None) -> Read:
    """The task of one object. Raises TaskError."""
    task_id, prompt, name, test = (text(entry, key) for key in ("task_id", "prompt", "entry_point", "test"))
    module = parse(test)
    if module is None:
        raise TaskError("test is no Python that parses, expected one that defines check(candidate)")
    checks = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if len(checks) != 1 or len(checks[0].args.args) != 1:
        raise TaskError("test is of an unknown style, expected one function check(candidate)")
    around = [node for node in module.body if node is not checks[0] and not _runs_check(node)]
    found = cut(checks[0].body, asserting_functions(around), _objects(around))
    if not found.bodies:
        raise TaskError("test asserts nothing, expected assertions in check(candidate)")
    beside = [*_beside(prompt, name), *around]
    solution = entry.get("canonical_solution")
    task = Task(
        task_id=task_id,
        prompt=prompt,
        entry_point=name,
        tests=tests_file(name, [], [(checks[0].args.args[0].arg, name)], beside, found),
        reference=prompt + solution if isinstance(solution, str) else None,
        timeout_s=TIMEOUT_S if max_timeout_s is None else min(TIMEOUT_S, max_timeout_s),
    )
    return Read(where, task, joined=found.joined)


def text(entry: Entry, key: str) -> str:
    """A string of an entry. Raises TaskError."""
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        found = f"{key} is {value!r:.40}" if key in entry else f"{key} is missing, found {', '.join(sorted(entry))}"
        raise TaskError(f"{found}; expected a string")
    return value


def tests_file(name: str, names: list[str], aliases: list[tuple[str, str]], beside: list[ast.stmt], found: Cut) -> str:
    """The source of a pytest file that imports ``name`` and ``names``, has ``beside`` at its top, and a test a body."""
    imported = ast.ImportFrom(MODULE, [ast.alias(each) for each in dict.fromkeys([name, *names])], 0)
    bound = [ast.parse(f"{alias} = {of}").body[0] for alias, of in aliases if alias != of]
    head = "\n".join(map(ast.unparse, [imported, *beside]))
    tests = [
        f"def test_{number}():\n" + "\n".join(_indented(node) for node in [*bound, *body])
        for number, body in enumerate(found.bodies, start=1)
    ]
    return "\n\n\n".join([head, *tests]) + "\n"


def _indented(node: ast.stmt) -> str:
    function = ast.FunctionDef("f", ast.arguments([], [], None, [], [], None, []), [node], [], lineno=1)
    return ast.unparse(function).split("\n", 1)[1]


def _beside(prompt: str, name: str) -> list[ast.stmt]:
    """What the prompt defines beside the entry point: what the tests may use of it is not the candidate's word."""
    module = parse(prompt)
    return [node for node in module.body if getattr(node, "name", None) != name] if module else []


def _runs_check(node: ast.stmt) -> bool:
    """Whether a statement calls ``check`` itself, as some sets' files end."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "check"


def _objects(around: list[ast.stmt]) -> set[str]:
    """Names at the top of objects that a call may change."""
    assigned = [node for node in around if isinstance(node, ast.Assign | ast.AnnAssign)]
    names = (inner for node in assigned for inner in ast.walk(node) if isinstance(inner, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)} | {"random"}
