"""``tasks=mbpp``: MBPP's format (Austin et al. 2021, arXiv 2108.07732), one JSON object a line.

``task_id``, ``text`` or ``prompt`` (a sentence), ``code`` (the solution), ``test_list`` (strings that assert), and
``test_setup_code`` (a string) or ``test_imports`` (strings). Each assertion becomes a test, behind the set-up.

MBPP's own prompt shows the tests, because the sentence alone does not name the function. A policy that is trained on
them would learn to repeat them, so here the prompt is the function's signature, as ``code`` has it, with the sentence
as its docstring.
"""

import ast
import copy
from collections.abc import Iterator

from ablation.config import TasksConfig
from ablation.tasks.audit.source import FUNCTION, definitions, parse, top_level_names
from ablation.tasks.cutting import asserting_functions, cut
from ablation.tasks.humaneval import TIMEOUT_S, tests_file, text
from ablation.tasks.jsonl import Entry, read_entries
from ablation.tasks.reading import Fault, Read, TaskError
from ablation.tasks.task import Task


def read_tasks(config: TasksConfig) -> Iterator[Read | Fault]:
    """The tasks in the files at ``tasks.path``, line by line. Raises ConfigError."""
    return read_entries(config, lambda where, entry: make_task(where, entry, config.max_timeout_s))


def make_task(where: str, entry: Entry, max_timeout_s: float | None) -> Read:
    """The task of one object. Raises TaskError."""
    sentence = text(entry, "text" if "text" in entry else "prompt")
    code = text(entry, "code").replace("\r\n", "\n")
    setup = [
        *_strings(entry, "test_imports"),
        *([text(entry, "test_setup_code")] if entry.get("test_setup_code") else []),
    ]
    body = _parsed("test_setup_code", setup) + _parsed("test_list", _strings(entry, "test_list"))
    solution = parse(code)
    if solution is None:
        raise TaskError("code is no Python that parses, expected a solution")
    imports: list[ast.stmt] = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in body if node not in imports]
    used = _used(rest, top_level_names(solution) - top_level_names(ast.Module(rest, [])))
    functions = {node: used.index(node) for node in definitions(solution) if node in used}
    name = next((each for each in used if isinstance(definitions(solution).get(each), FUNCTION)), None)
    if name is None:
        raise TaskError(
            f"test_list calls no function of code, which defines {', '.join(definitions(solution)) or 'none'}"
        )
    found = cut(rest, asserting_functions(rest), {"random"})
    if not found.bodies:
        raise TaskError("test_list asserts nothing, expected assertions")
    task = Task(
        task_id=f"mbpp-{entry['task_id']}" if isinstance(entry.get("task_id"), int) else text(entry, "task_id"),
        prompt=_prompt(definitions(solution)[name], sentence),
        entry_point=name,
        tests=tests_file(name, list(functions), [], imports, found),
        reference=code if code.endswith("\n") else code + "\n",
        timeout_s=TIMEOUT_S if max_timeout_s is None else min(TIMEOUT_S, max_timeout_s),
    )
    return Read(where, task, joined=found.joined)


def _strings(entry: Entry, key: str) -> list[str]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TaskError(f"{key} is {value!r:.40}, expected a list of strings")
    return value


def _parsed(key: str, sources: list[str]) -> list[ast.stmt]:
    module = parse("\n".join(sources))
    if module is None:
        raise TaskError(f"{key} is no Python that parses")
    return module.body


def _used(body: list[ast.stmt], defined: set[str]) -> list[str]:
    """Names of the solution that tests use, in the order of their first use."""
    names = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Name)]
    names.sort(key=lambda node: (node.lineno, node.col_offset))
    return [name for name in dict.fromkeys(node.id for node in names) if name in defined]


def _prompt(function: ast.stmt, sentence: str) -> str:
    """The head of a function, without what its annotations would need, and ``sentence`` as its docstring."""
    assert isinstance(function, FUNCTION)
    head = copy.deepcopy(function)
    head.decorator_list, head.returns = [], None
    for argument in ast.walk(head.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    head.body = [ast.Expr(ast.Constant(" ".join(sentence.split())))]
    return ast.unparse(head) + "\n"
