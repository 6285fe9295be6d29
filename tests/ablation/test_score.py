import json
import tracemalloc

import pytest

from ablation.score import score_lines
from ablation.scoring.pool import ScoringPool
from ablation.tasks.task import Task

TESTS = "from solution import double\ndef test_one():\n    assert double(1) == 2\n"
TASKS = {name: Task(name, "def double(x):\n", "double", TESTS, None) for name in ("double/1", "double/2")}
GOOD, BAD = "    return x + x\n", "    return 0\n"


@pytest.fixture(scope="module")
def pool():
    with ScoringPool(workers=2) as pool:
        yield pool


def line(task_id: str, completion: str) -> str:
    return json.dumps({"task_id": task_id, "completion": completion}) + "\n"


def test_one_line_out_for_each_line_in_and_in_order(pool):
    lines = [line("double/1", GOOD), line("double/2", BAD), "{\n", line("double/1", GOOD)]
    out = list(score_lines(lines, TASKS, pool))
    assert [entry.get("solved", entry.get("line")) for entry in out] == [True, False, 3, True]
    assert out[0] == {
        "task_id": "double/1",
        "status": "scored",
        "passed": 1,
        "total": 1,
        "pass_ratio": 1.0,
        "solved": True,
        "tests": {"test_one": "passed"},
        "tier": pool.tier,
        "seconds": out[0]["seconds"],
    }


def test_blank_lines_count_but_have_no_output(pool):
    out = list(score_lines(["\n", "  \n", "oops\n", "\n"], TASKS, pool))
    assert [entry["line"] for entry in out] == [3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("oops", "found no JSON"),
        ('{"task_id": "double/1", "completion": "x"} {}', "found no JSON"),
        ("[" * 100_000, "found no JSON"),
        ("[1]", "found list"),
        ('{"completion": ""}', "add 'task_id'"),
        ('{"task_id": "double/1", "completon": ""}', "did you mean 'completon'"),
        ('{"task_id": 3, "completion": ""}', "type int"),
        ('{"task_id": "double/1", "completion": null}', "type NoneType"),
        ('{"task_id": "doubel/1", "completion": ""}', "did you mean 'double/1'"),
        ('{"task_id": "zzz", "completion": ""}', "expected one of the 2 tasks"),
    ],
)
def test_a_line_that_cannot_be_scored_says_what_to_change(pool, text, words):
    (entry,) = score_lines([text], TASKS, pool)
    assert set(entry) == {"line", "error"}
    assert entry["line"] == 1
    assert words in entry["error"]


def test_many_lines_take_no_more_memory_than_a_few(pool):
    lines = ("oops\n" for _ in range(20_000))
    tracemalloc.start()
    try:
        count = sum(1 for _ in score_lines(lines, TASKS, pool))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 1_000_000


def test_an_answer_comes_before_the_next_line_is_read():
    read = 0

    def lines():
        nonlocal read
        for _ in range(3):
            read += 1
            yield line("double/1", GOOD)

    with ScoringPool() as pool:
        assert [read for _ in score_lines(lines(), TASKS, pool)] == [1, 2, 3]
