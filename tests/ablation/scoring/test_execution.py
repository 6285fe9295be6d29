"""What candidates earn, honest and hostile, in real processes."""

import dataclasses
import os
import time
from pathlib import Path

import psutil
import pytest
from double_task import DOUBLE, SOLVED

from ablation.scoring.pool import ScoringPool, Submission

QUICK = dataclasses.replace(DOUBLE, timeout_s=0.5)


def test_an_honest_candidate_passes_every_test_in_file_order(score, pool):
    verdict = score("    return x * 2\n")
    assert (verdict.status, dict(verdict.tests), verdict.tier) == ("scored", SOLVED, pool.tier)
    assert list(verdict.tests) == list(SOLVED)
    assert verdict.seconds > 0


MANY_THREADS = """
    results, lock = [], threading.Lock()

    def work():
        with lock:
            results.append(x + x)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(len, ["a", "bb"])) == [1, 2]
    assert DRAWN == random.Random(0).random()
    return asyncio.run(asyncio.sleep(0, results[3]))

import asyncio, concurrent.futures, random, threading
DRAWN = random.random()
"""


def test_a_candidate_may_use_threads_an_event_loop_and_chance_from_its_own_seed(score):
    for _ in range(2):
        verdict = score(MANY_THREADS)
        assert (verdict.status, verdict.detail, dict(verdict.tests)) == ("scored", "", SOLVED)


def test_partial_credit_counts_the_tests_that_pass(score):
    verdict = score("    return x << 1\n")
    assert dict(verdict.tests) == SOLVED | {"test_text": "failed"}
    assert (verdict.status, verdict.pass_ratio) == ("scored", 2 / 3)


def test_an_exception_at_import_is_an_error_of_every_test(score):
    verdict = score("    return x + x\n\n1 / 0\n")
    assert (verdict.status, set(verdict.tests.values())) == ("scored", {"error"})
    assert "ZeroDivisionError" in verdict.detail


def test_a_missing_entry_point_is_an_error_of_every_test(score):
    verdict = score("```python\ndouble = 1\ndel double\n```")
    assert (verdict.status, set(verdict.tests.values())) == ("scored", {"error"})


@pytest.mark.parametrize(
    ("completion", "status"),
    [
        ("", "no_code"),
        ("I would rather not.", "no_code"),
        ("    return x +\n", "syntax_error"),
        ("    return '\0'\n", "syntax_error"),
        ("    return '\udc80'\n", "syntax_error"),
        ("    return " + "(" * 100_000 + "\n", "syntax_error"),
        ("    return x + x\n" * 700_000, "no_code"),  # 10 MB
    ],
)
def test_bad_completions_miss_every_expected_test(score, completion, status):
    verdict = score(completion)
    assert (verdict.status, dict(verdict.tests)) == (status, dict.fromkeys(SOLVED, "missing"))
    assert verdict.pass_ratio == 0.0


def test_an_endless_loop_ends_at_the_deadline_and_keeps_what_passed(score):
    started = time.monotonic()
    verdict = score("    while x == 1:\n        pass\n    return x + x\n", QUICK)
    assert (verdict.status, verdict.passed) == ("timeout", 1)
    assert dict(verdict.tests) == {"test_zero": "passed", "test_one": "timeout", "test_text": "missing"}
    assert 0.5 <= verdict.seconds <= time.monotonic() - started < 1.5


def test_an_endless_import_runs_no_test(score):
    verdict = score("    return x + x\n\nwhile True:\n    pass\n", QUICK)
    assert (verdict.status, set(verdict.tests.values())) == ("timeout", {"missing"})


def test_an_endless_compilation_ends_at_the_deadline(score):
    verdict = score("    return " + "+".join(["x"] * 150_000) + "\n", QUICK)
    assert verdict.status in ("timeout", "syntax_error", "crashed")
    assert verdict.seconds < 1.5


@pytest.mark.parametrize(
    "end",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "import ctypes; ctypes.string_at(0)",
    ],
)
def test_a_candidate_that_ends_its_process_crashed(score, end):
    verdict = score(f"    return x + x\n\n{end}\n")
    assert (verdict.status, verdict.passed) == ("crashed", 0)
    assert verdict.detail


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os.kill(0, 9)", "os.kill(os.getppid(), 9)", "os.abort()"])
def test_a_signal_to_anyone_is_a_violation_and_forfeits_everything(score, end):
    verdict = score(f"    import os\n    if x == 'a':\n        {end}\n    return x + x\n")
    assert (verdict.status, set(verdict.tests.values())) == ("violation", {"error"})


def test_what_passed_before_a_crash_stays_passed(score):
    verdict = score("    import os\n    if x == 'a':\n        os._exit(0)\n    return x + x\n")
    assert dict(verdict.tests) == SOLVED | {"test_text": "error"}
    assert verdict.status == "crashed"


def test_an_exit_inside_a_test_fails_that_test(score):
    verdict = score("    if x == 1:\n        raise SystemExit(0)\n    return x + x\n")
    assert dict(verdict.tests) == SOLVED | {"test_one": "failed"}


def test_memory_is_limited(score):
    verdict = score("    hog = b'x' * (2 << 30)\n    return x + x\n")
    assert (verdict.status, set(verdict.tests.values())) == ("scored", {"failed"})


def test_a_huge_output_goes_nowhere(score, capfd):
    verdict = score(
        "    import os, sys\n    for fd in (1, 2):\n        os.write(fd, b'x' * 10_000_000)\n"
        "    print('x' * 10_000_000)\n    return x + x\n"
    )
    assert verdict.solved
    assert capfd.readouterr().out == ""


def test_a_printed_summary_earns_nothing(score):
    verdict = score("    print('===== 50 passed in 0.01s =====')\n\nprint('3 passed')\nprint('passed 0')\n")
    assert (verdict.status, verdict.passed, verdict.total) == ("scored", 0, 3)


def test_skipping_is_not_the_candidates_to_do(score):
    verdict = score("    import unittest\n    raise unittest.SkipTest\n")
    assert (verdict.status, verdict.pass_ratio) == ("violation", 0.0)


def test_writing_to_every_descriptor_is_a_violation(score):
    write = "    import os\n    for fd in range(256):\n        try:\n"
    write += "            os.write(fd, b'\\npassed 0\\ndone\\n')\n"
    write += "        except OSError:\n            pass\n    return x + x\n"
    verdict = score(write)
    assert (verdict.status, verdict.passed) == ("violation", 0)


def test_flooding_every_descriptor_is_a_violation(score):
    flood = "    return x\n\nimport os\nfor fd in range(3, 64):\n    try:\n        while True:\n"
    flood += "            os.write(fd, b'x' * 65536)\n    except OSError:\n        pass\n"
    assert score(flood).status == "violation"


def test_closing_every_descriptor_harms_nobody_else(score):
    verdict = score("    import os\n    os.closerange(0, 1000)\n    return x + x\n")
    assert (verdict.status, verdict.passed) == ("crashed", 0)


@pytest.mark.parametrize(
    "start", ["subprocess.Popen(['sleep', '300'])", "os.fork()", "os.posix_spawn('/bin/true', [], {})"]
)
def test_a_candidate_starts_no_process(score, start):
    verdict = score(f"    import os, subprocess\n    if x == 1:\n        {start}\n    return x + x\n")
    assert dict(verdict.tests) == SOLVED | {"test_one": "failed"}


def test_without_a_sandbox_children_are_killed_whether_or_not_they_left_the_group():
    seconds = f"300.{os.getpid()}"  # an argument that only these processes have
    started = "    import subprocess\n"
    started += f"    subprocess.Popen(['sleep', '{seconds}'])\n"
    started += f"    subprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\n"
    with ScoringPool(sandbox="none") as pool:
        verdict = pool.score([Submission(DOUBLE, f"{started}    return x + x\n")])[0]
        assert (verdict.solved, verdict.tier) == (True, "none")
        assert not [p for p in psutil.process_iter(["cmdline"]) if seconds in (p.info["cmdline"] or [])]


def test_files_do_not_survive_to_the_next_candidate(score):
    leave = "    return x + x\n\nimport os\nopen('left', 'w').close()\n"
    leave += "for _ in range(700):\n    os.mkdir('deep')\n    os.chdir('deep')\n"
    look = "    return x + x\n\nimport os\nassert os.listdir() == ['tmp'] and os.listdir('tmp') == []\n"
    assert score(leave).solved
    assert score(look).solved


def test_the_environment_of_the_trainer_is_not_seen(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "of the trainer")
    look = "    return x + x\n\nimport os\nassert 'SECRET_KEY' not in os.environ\n"
    with ScoringPool() as pool:
        assert pool.score([Submission(DOUBLE, look)])[0].solved


def test_the_trainers_folder_is_not_on_the_path(score):
    cwd = str(Path.cwd() / "tests")
    assert score(
        f"    import sys\n    assert {cwd!r} not in sys.path and '' not in sys.path\n    return x + x\n"
    ).solved


def test_a_class_that_the_tests_derive_shows_what_it_assigns_now(score):
    tests = """\
from unittest import mock
from solution import Form

def test_assigned():
    class Point(Form):
        x = 1
    assert vars(Point)["x"] == Point.x == 1
    with mock.patch.object(Point, "x", 2):
        assert vars(Point)["x"] == Point().x == 2
    assert vars(Point)["x"] == Point.x == 1
    del Point.x
    assert "x" not in vars(Point)
    assert not hasattr(Point, "x")
"""
    form = "class Form:\n    pass\n"
    task = dataclasses.replace(DOUBLE, prompt="", entry_point="Form", tests=tests, reference=form)
    verdict = score(f"```python\n{form}```", task)
    assert verdict.solved, verdict.detail
