"""HumanEval, MBPP and the project's own lines: what becomes of a line, and what is said of one that cannot be used."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_task import clamp

from ablation.config import TasksConfig
from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks import humaneval, jsonl, mbpp
from ablation.tasks.reading import Fault, Found, Read, collect
from ablation.tasks.task import Script, Task

Loader = Callable[[TasksConfig], Iterator[Read | Fault]]

ROOTS = {  # as in the set, but for the text
    "task_id": "Set/0",
    "prompt": (
        "import math\n\n\ndef poly(xs, x):\n    return sum(c * x ** i for i, c in enumerate(xs))\n\n\n"
        'def root(xs):\n    """The x where poly(xs, x) is 0.\n    >>> root([1, 2])\n    -0.5\n    """\n'
    ),
    "entry_point": "root",
    "canonical_solution": "    return -xs[0] / xs[1]\n",
    "test": (
        "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert True, 'a first try'\n"
        "    assert candidate([1, 2]) == -0.5\n    for a in range(1, 5):\n        coeffs = [a, a + 1]\n"
        "        assert math.fabs(poly(coeffs, candidate(coeffs))) < 1e-4\n"
        "    x = [3, 1]\n    assert candidate(x) == -3\n    assert x == [3, 1]\n\n"
    ),
}
CHAIN: dict[str, Any] = {
    "text": "Write a function to find the longest chain which can be formed from the given set of pairs.",
    "code": (
        "class Pair(object): \r\n\tdef __init__(self, a, b): \r\n\t\tself.a = a \r\n\t\tself.b = b \r\n"
        "def max_chain_length(arr, n: int) -> int: \r\n\tlast, count = None, 0 \r\n"
        "\tfor pair in sorted(arr, key=lambda pair: pair.b): \r\n\t\tif last is None or pair.a > last: \r\n"
        "\t\t\tlast, count = pair.b, count + 1 \r\n\treturn count"
    ),
    "task_id": 601,
    "test_setup_code": "",
    "test_list": [
        "assert max_chain_length([Pair(5, 24), Pair(15, 25),Pair(27, 40), Pair(50, 60)], 4) == 3",
        "assert max_chain_length([Pair(1, 2), Pair(3, 4),Pair(5, 6), Pair(7, 8)], 4) == 4",
    ],
    "challenge_test_list": [],
}
AREA: dict[str, Any] = {
    "source_file": "x.json",
    "task_id": 17,
    "prompt": "Write a function that returns the area of a circle.",
    "code": "import math\ndef area(r=1):\n    return math.pi * r * r",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(area(2), 12.566370614359172, rel_tol=0.001)", "assert area() > 3"],
}


def config(path: Path, name: str = "jsonl", **changes) -> TasksConfig:
    return TasksConfig(**{"name": name, "train": 9, "validation": 9, "test": 9, "path": str(path), **changes})


def written(path: Path, lines: Iterable[Any]) -> Path:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def find(loader: Loader, path: Path, *lines: Any, **changes) -> Found:
    return collect(loader(config(written(path, lines), **changes)), strict=False)


def verdicts(task: Task, *completions: str) -> list[list[str]]:
    """The outcome of each test of each completion, after the reference's, which has to solve."""
    assert task.reference is not None
    with ScoringPool() as pool:
        solved, *others = pool.score([Submission(task, f"```python\n{c}\n```") for c in (task.reference, *completions)])
    assert solved.solved, solved
    return [list(verdict.tests.values()) for verdict in [solved, *others]]


def test_a_check_becomes_tests_and_what_the_prompt_defines_is_not_the_candidates_word(tmp_path):
    found = find(humaneval.read_tasks, tmp_path / "set.jsonl.gz", ROOTS)
    (task,) = found.tasks
    assert (task.task_id, task.entry_point, task.module) == ("Set/0", "root", "solution")
    assert task.prompt == ROOTS["prompt"]
    assert list(found.joined.values()) == ["2 of its 4 assertions share x"]
    assert "from solution import root\n" in task.tests
    lying = "def poly(xs, x):\n    return 0\ndef root(xs):\n    return -0.5\n"
    assert verdicts(task, lying) == [["passed"] * 3, ["passed", "failed", "failed"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": None}, "prompt is None; expected a string"),
        ({"entry_point": ""}, "entry_point is ''; expected a string"),
        ({"test": "def check(candidate:\n"}, "test is no Python that parses"),
        ({"test": "def verify(candidate):\n    assert candidate\n"}, "test is of an unknown style"),
        ({"test": "def check(candidate):\n    print(candidate)\n"}, "test asserts nothing"),
    ],
)
def test_a_humaneval_line_that_cannot_be_used_is_named_by_line_and_field(tmp_path, changes, words):
    path = tmp_path / "set.jsonl"
    found = find(humaneval.read_tasks, path, {**ROOTS, "task_id": "good"}, "", {**ROOTS, **changes})
    assert [task.task_id for task in found.tasks] == ["good"]
    (where,) = found.left_out
    assert where == f"{path} line 3"
    assert words in found.left_out[where]


def test_a_set_may_ship_no_solution_and_a_bound_on_time_is_kept(tmp_path):
    entry = {key: value for key, value in ROOTS.items() if key != "canonical_solution"}
    found = find(humaneval.read_tasks, tmp_path / "set.jsonl", entry, max_timeout_s=3.0)
    assert [(task.reference, task.timeout_s) for task in found.tasks] == [(None, 3.0)]


def test_mbpp_lists_become_tests_with_what_they_use_of_the_solution(tmp_path):
    found = find(mbpp.read_tasks, tmp_path / "mbpp.jsonl", CHAIN, AREA)
    chain, area = found.tasks
    assert (found.left_out, found.joined) == ({}, {})
    assert chain.task_id == "mbpp-601"
    assert chain.prompt == f'def max_chain_length(arr, n):\n    """{CHAIN["text"]}"""\n'
    assert area.prompt == f'def area(r=1):\n    """{AREA["prompt"]}"""\n'
    assert chain.tests.startswith("from solution import max_chain_length, Pair\n")
    assert area.tests.startswith("from solution import area\nimport math\n")
    constant = "class Pair:\n    def __init__(self, a, b):\n        pass\ndef max_chain_length(arr, n):\n    return 3\n"
    assert verdicts(chain, constant) == [["passed", "passed"], ["passed", "failed"]]
    assert verdicts(area, "def area(r=1):\n    return 4\n") == [["passed", "passed"], ["failed", "passed"]]


def test_mbpp_set_up_is_there_anew_for_each_assertion_unless_they_share_it(tmp_path):
    code = "def push(items, x):\n    items.append(x)\n    return len(items)\n"
    entry = {"task_id": 1, "text": "Push.", "code": code, "test_setup_code": "limit = 3\nitems = [1]"}
    apart = {**entry, "test_list": ["assert push([], 1) == 1", "assert push([1, 2], 0) == limit"]}
    shared = {**entry, "task_id": 2, "test_list": ["assert push(items, 1) == 2", "assert push(items, 0) == limit"]}
    found = find(mbpp.read_tasks, tmp_path / "mbpp.jsonl", apart, shared)
    assert [len(verdicts(task)[0]) for task in found.tasks] == [2, 1]
    assert list(found.joined.values()) == ["2 of its 2 assertions share items"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_list": "assert area()"}, "test_list is 'assert area()', expected a list of strings"),
        ({"test_list": ["assert area(] == 1"]}, "test_list is no Python that parses"),
        ({"test_setup_code": ["x = 1"]}, "test_setup_code is ['x = 1']; expected a string"),
        ({"code": f"def area(r=1):\n    return {'-' * 3000}r"}, "code is no Python that parses"),
        ({"test_list": ["assert area() > " + "+".join("1" * 990)]}, "nested too deeply"),
        ({"test_list": []}, "test_list calls no function of code, which defines area"),
        ({"test_list": ["area(1)"]}, "test_list asserts nothing"),
        ({"code": "def area("}, "code is no Python that parses"),
        ({"prompt": 3}, "prompt is 3; expected a string"),
        ({"task_id": None}, "task_id is None; expected a string"),
    ],
)
def test_an_mbpp_line_that_cannot_be_used_is_named_by_line_and_field(tmp_path, changes, words):
    found = find(mbpp.read_tasks, tmp_path / "mbpp.jsonl", {**AREA, **changes}, CHAIN)
    assert [task.task_id for task in found.tasks] == ["mbpp-601"]
    assert words in found.left_out[f"{tmp_path}/mbpp.jsonl line 1"]


def test_the_projects_own_lines_are_read_back_as_they_were_written(tmp_path):
    script = Script("/app", (("/tests/test.sh", "odd \udcff byte"),), 2048, fallback=True)
    tasks = [clamp(task_id="é"), clamp(task_id="b", reference=None, timeout_s=7.5), clamp(task_id="c", script=script)]
    path = tmp_path / "set.jsonl"
    path.write_text("".join(map(jsonl.to_line, tasks)))
    found = collect(jsonl.read_tasks(config(path)), strict=True)
    assert found.tasks == tasks
    bounded = collect(jsonl.read_tasks(config(path, max_timeout_s=3.0)), strict=True)
    assert [task.timeout_s for task in bounded.tasks] == [2.0, 3.0, 2.0]


def test_fields_with_a_default_may_be_left_out(tmp_path):
    entry = {"task_id": "a", "prompt": "p", "entry_point": "f", "tests": "t"}
    found = find(jsonl.read_tasks, tmp_path / "set.jsonl", entry)
    assert found.tasks == [Task("a", "p", "f", "t")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"task_id": ', "it is no JSON"),
        ("[1]", "it is list in JSON, expected an object"),
        ({"task_id": "a"}, "prompt is missing, found task_id"),
        ({**json.loads(jsonl.to_line(clamp())), "timeout": 3}, "timeout is no field of a task"),
        ({**json.loads(jsonl.to_line(clamp())), "promt": ""}, "did you mean 'prompt'?"),
        ({**json.loads(jsonl.to_line(clamp())), "tests": ["a"]}, "tests is list, expected a string"),
        ({**json.loads(jsonl.to_line(clamp())), "reference": 1}, "reference is int, expected a string or null"),
        ({**json.loads(jsonl.to_line(clamp())), "timeout_s": "2"}, "timeout_s is '2', expected seconds above 0"),
        ({**json.loads(jsonl.to_line(clamp())), "script": ["/app"]}, "script cannot be used"),
        (jsonl.to_line(clamp(task_id="good")).strip(), "its task_id 'good' is already that of"),
    ],
)
def test_a_line_that_is_no_task_is_named_by_line_and_field(tmp_path, line, words):
    found = find(jsonl.read_tasks, tmp_path / "set.jsonl", jsonl.to_line(clamp(task_id="good")).strip(), line)
    assert [task.task_id for task in found.tasks] == ["good"]
    assert words in found.left_out[f"{tmp_path}/set.jsonl line 2"]


def test_a_compressed_file_that_is_cut_keeps_the_lines_before(tmp_path):
    path = written(tmp_path / "set.jsonl.gz", (json.loads(jsonl.to_line(clamp(task_id=f"t{n}"))) for n in range(3000)))
    path.write_bytes(path.read_bytes()[:-500])
    found = collect(jsonl.read_tasks(config(path)), strict=False)
    assert 0 < len(found.tasks) < 3000
    (where,) = found.left_out
    assert where == f"{path} after line {len(found.tasks)}"
