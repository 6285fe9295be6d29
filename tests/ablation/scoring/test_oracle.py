import time

import psutil

from tests.ablation.scoring.oracle import COLLECTION, many_outcomes, outcomes

TESTS = """
import unittest
import pytest
import solution

def test_pass(): assert solution.one() == 1
def test_fail(): assert solution.one() == 2
@pytest.mark.skip
def test_skip(): pass
@pytest.mark.xfail
def test_xfail(): assert False
@pytest.mark.xfail
def test_xpass(): pass
@pytest.mark.xfail(strict=True)
def test_strict_xpass(): pass
@pytest.fixture
def broken(): raise RuntimeError
def test_setup_error(broken): pass
@pytest.fixture
def late():
    yield
    raise RuntimeError
def test_teardown_error(late): pass
@pytest.mark.parametrize("n", [1, 2], ids=["one", "two"])
@pytest.mark.parametrize("s", ["a"])
def test_p(s, n): assert n == 1

class TestCase(unittest.TestCase):
    def test_y(self): self.assertEqual(solution.one(), 1)
    def test_subtests(self):
        for n in (1, 2, 1):
            with self.subTest(n=n):
                self.assertEqual(n, 1)
    def test_good_subtests(self):
        for n in (1, 2):
            with self.subTest(n=n):
                if n == 2:
                    self.skipTest("no")
"""


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_every_outcome_of_pytest_under_its_node_id():
    assert outcomes("def one(): return 1\n", TESTS) == {
        "test_pass": "passed",
        "test_fail": "failed",
        "test_skip": "skipped",
        "test_xfail": "skipped",
        "test_xpass": "skipped",
        "test_strict_xpass": "failed",
        "test_setup_error": "error",
        "test_teardown_error": "error",
        "test_p[a-one]": "passed",
        "test_p[a-two]": "failed",
        "TestCase::test_y": "passed",
        "TestCase::test_subtests": "failed",
        "TestCase::test_good_subtests": "passed",
    }


def test_a_file_that_cannot_be_collected_has_one_error():
    assert outcomes("raise SystemError\n", "import solution\ndef test_a(): pass\n") == {COLLECTION: "error"}


def test_no_tests_at_all_is_an_error_too():
    assert outcomes("", "import solution\n") == {COLLECTION: "error"}


def test_endless_tests_time_out_and_the_ones_before_keep_their_outcome():
    tests = "import solution\ndef test_a(): pass\ndef test_b():\n    while True: pass\ndef test_c(): pass\n"
    assert outcomes("", tests, timeout_s=10) == {"test_a": "passed", "test_b": "timeout", "test_c": "timeout"}


def test_an_endless_import_times_out():
    assert outcomes("while True: pass\n", "import solution\ndef test_a(): pass\n", timeout_s=3) == {
        COLLECTION: "timeout"
    }


def test_what_tests_started_ends_with_them(tmp_path):
    pid_file = tmp_path / "pid"
    tests = f"""
import subprocess, sys, pathlib
def test_a():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))
"""
    assert outcomes("", tests) == {"test_a": "passed"}
    pid, deadline = int(pid_file.read_text()), time.monotonic() + 60
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_tests_lost_with_the_process_are_errors():
    tests = "import os, solution\ndef test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): pass\n"
    assert outcomes("", tests) == {"test_a": "passed", "test_b": "error", "test_c": "error"}


def test_memory_is_bounded():
    assert outcomes("", "def test_a(): bytearray(2**32)\n") == {"test_a": "failed"}


def test_a_batch_keeps_its_order():
    tests = "import solution\ndef test_a(): assert solution.x == 3\n"
    results = many_outcomes([(f"x = {n}\n", tests) for n in range(5)], processes=3)
    assert [r["test_a"] for r in results] == ["failed", "failed", "failed", "passed", "failed"]
