"""Which test files run, and which have no score because no verdict on them could be trusted."""

import dataclasses

import pytest
from double_task import DOUBLE

from ablation.tasks.task import Task

BODY = "    return x + x\n"


def with_tests(tests: str, reference: str | None = DOUBLE.reference) -> Task:
    return dataclasses.replace(DOUBLE, task_id="odd", tests=tests, reference=reference)


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ("async def test_a():\n    pass\n", "async"),
        ("import numpy_that_is_not_there\ndef test_a():\n    pass\n", "numpy_that_is_not_there"),
        ("import pytest\npytestmark = pytest.mark.skip\ndef test_a():\n    pass\n", "no test that counts"),
        ("test_a = 1\n", "no test"),
        ("", "no test"),
        ("def test_a(:\n", "SyntaxError"),
        ("def test_a(missing):\n    pass\n", "missing"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("import pytest\npytest.skip('not today', allow_module_level=True)\n", "no test"),
        ("def test_a():\n    assert False\n", "test_a failed"),
    ],
)
def test_tests_that_cannot_be_trusted(score, tests, words):
    verdict = score(BODY, with_tests(tests))
    assert verdict.status == "unsupported"
    assert (verdict.pass_ratio, verdict.to_line()["passed"]) == (None, None)
    assert "'odd'" in verdict.detail
    assert words in verdict.detail


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("def double(x):\n    return 0\n", "test_one failed"),
        ("def double(x)\n", "SyntaxError"),
        ("import os\nos._exit(0)\n", "exited"),
        ("", "cannot import name 'double'"),
    ],
)
def test_a_reference_that_does_not_solve_its_task(score, reference, words):
    verdict = score(BODY, dataclasses.replace(DOUBLE, task_id="broken", reference=reference))
    assert verdict.status == "unsupported"
    assert "'broken'" in verdict.detail
    assert words in verdict.detail


def test_without_a_reference_the_expected_tests_are_those_in_the_file(score):
    verdict = score(BODY, with_tests(DOUBLE.tests, reference=None))
    assert (verdict.solved, list(verdict.tests)) == (True, ["test_zero", "test_one", "test_text"])


def test_pytest_raises_and_approx_work(score):
    tests = (
        "import pytest\nfrom solution import double\n\n\ndef test_raises():\n"
        "    with pytest.raises(TypeError, match='unsupported'):\n        double(None)\n\n\n"
        "def test_approx():\n    assert double(0.1) == pytest.approx(0.2)\n"
    )
    assert score(BODY, with_tests(tests)).solved
    half = score("    return 0.2\n", with_tests(tests))
    assert dict(half.tests) == {"test_raises": "failed", "test_approx": "passed"}


@pytest.mark.parametrize(
    "tests",
    [
        "def test_a(tmp_path):\n    assert tmp_path.is_dir()\n",
        "import pytest\n@pytest.fixture\ndef one():\n    return 1\ndef test_a(one):\n    assert one == 1\n",
        "import pytest\n@pytest.mark.parametrize('x', [1, 2])\ndef test_a(x):\n    assert x\n",
        "class TestA:\n    def test_a(self):\n        pass\n",
        "import unittest\nclass Some(unittest.TestCase):\n    def test_a(self):\n        pass\n",
        "if True:\n    def test_a():\n        pass\n",
        "def setup_module():\n    pass\ndef test_a():\n    pass\n",
        "def check(): pass\ndef test_a():\n    pass\ntest_b = check\n",
        "from solution import double\nEXPECTED = double(2)\ndef test_a():\n    assert EXPECTED == 4\n",
    ],
)
def test_what_pytest_collects_runs(score, tests):
    verdict = score(BODY, with_tests(tests))
    assert verdict.solved, verdict.detail


def test_a_helper_generator_inside_a_test_is_fine(score):
    tests = "def test_a():\n    def g():\n        yield 1\n    assert list(g()) == [1]\n"
    assert score(BODY, with_tests(tests)).solved
