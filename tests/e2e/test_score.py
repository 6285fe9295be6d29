import json
import subprocess
import sys

from ablation.composing import compose_config
from ablation.tasks.load import load_tasks
from tests.conftest import ROOT


def score(lines: str, *overrides: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "ablation.score", *overrides],
        cwd=ROOT, input=lines, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_verdict_lines_come_in_input_order_with_the_documented_fields():
    task = load_tasks(compose_config([]).tasks).test[0]
    body = (task.reference or "").removeprefix(task.prompt)
    lines = [
        {"task_id": task.task_id, "completion": body},
        {"task_id": task.task_id, "completion": "    return x\n"},
        {"task_id": task.task_id, "completion": "    return ((\n"},
        {"task_id": task.task_id, "completion": f"Sure:\n```python\n{task.reference}```\n"},
    ]
    ended = score("".join(json.dumps(line) + "\n" for line in lines), "tasks=katas")
    assert ended.returncode == 0, ended.stderr
    verdicts = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [v["solved"] for v in verdicts] == [True, False, False, True]
    assert [v["status"] for v in verdicts] == ["scored", "scored", "syntax_error", "scored"]
    fields = {"task_id", "status", "passed", "total", "pass_ratio", "solved", "tests", "tier", "seconds"}
    assert all(set(v) == fields and v["total"] == 6 and len(v["tests"]) == 6 for v in verdicts)


def test_a_bad_line_is_answered_in_its_place_and_the_exit_code_says_so():
    ended = score('{"task_id": "kata-test-000", "completion": "x"}\n')
    assert ended.returncode == 1
    assert "kata-test-000" in json.loads(ended.stdout)["error"]


def test_an_unknown_task_set_is_refused_in_a_sentence():
    ended = score("", "tasks=kata")
    assert ended.returncode == 2
    assert "did you mean tasks=katas?" in ended.stderr


def test_a_mistyped_key_is_refused_with_the_key_that_was_meant():
    ended = score("", "chain.step=5")
    assert ended.returncode == 2
    assert "chain.step is not a key; did you mean chain.steps?" in ended.stderr


def test_explain_says_what_was_run_in_which_tier_and_why_a_test_failed():
    ended = score("    return x\n", "--explain", "kata-test-0000")
    assert ended.returncode == 0, ended.stderr
    assert "tier      " in ended.stdout
    assert "candidate (solution.py)" in ended.stdout
    assert "AssertionError: assert [" in ended.stdout
    reference = score("", "--explain", "kata-test-0000")
    assert "6 of 6 tests passed" in reference.stdout
    unknown = score("", "--explain", "kata-tst-0000")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "did you mean 'kata-test-0000'?" in unknown.stderr
