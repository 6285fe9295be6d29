"""Tests that trust what a candidate gives them: no candidate turns that into a reward, or into a later one's loss."""

from typing import NamedTuple

import pytest

from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.verdict import Verdict
from ablation.tasks.task import Task


class Case(NamedTuple):
    entry_point: str
    tests: str
    reference: str
    attack: str = "pass\n"


JUDGE = (
    "setattr(__import__('sys').modules['ablation.scoring.evaluator.grader'], 'judge', "
    "lambda e, f: __import__('ablation.scoring.evaluator.execution', fromlist=['x'])"
    ".Execution('scored', dict.fromkeys(e, 'passed'), 0.1))"
)
EARNING = {
    "text that a test evaluates": Case(
        "Point",
        """\
def test_round():
    assert eval(repr(Point(1.5, -2))) == Point(1.5, -2)

def test_y():
    assert Point(1, 2).y == 2
""",
        """\
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)
    def __repr__(self):
        return f"Point({self.x!r}, {self.y!r})"
""",
        f"class Point:\n    def __init__(self, x, y): pass\n    def __repr__(self): return {JUDGE!r}\n",
    ),
    "bytes that a test unpickles": Case(
        "dump",
        """\
import pickle

def test_round():
    assert pickle.loads(dump([1, 2])) == [1, 2]

def test_again():
    assert pickle.loads(dump({"a": 1})) == {"a": 1}
""",
        "import pickle\ndef dump(x):\n    return pickle.dumps(x)\n",
        f"""\
import pickle
class P:
    def __reduce__(self):
        return eval, ({JUDGE!r},)
def dump(x):
    return pickle.dumps(P())
""",
    ),
    "the end of a with block": Case(
        "Box",
        """\
def test_inside():
    with Box() as box:
        assert box.value() == "secret"

def test_again():
    with Box() as box:
        assert box.value().upper() == "SECRET"
""",
        """\
class Box:
    def __enter__(self): return self
    def __exit__(self, *about): return None
    def value(self): return "secret"
""",
        """\
class Box:
    def __enter__(self): return self
    def __exit__(self, *about): return True
    def value(self): return ""
""",
    ),
    "what a failed assertion says": Case(
        "Box",
        """\
import unittest

class TestBox(unittest.TestCase):
    def test_a(self):
        with Box() as box:
            self.assertEqual(box.value(), "secret")

    def test_b(self):
        self.assertEqual(Box().value(), "secret")
""",
        """\
class Box:
    def __enter__(self): return self
    def __exit__(self, *about): return None
    def value(self): return "secret"
""",
        """\
known = [None]
class Box:
    def __enter__(self): return self
    def __exit__(self, kind, error, trace):
        if error is not None:
            known[0] = str(error.args[0]).split("'")[1]
        return True
    def value(self): return known[0]
""",
    ),
    "a cache of the tests": Case(
        "primes",
        """\
import functools

@functools.lru_cache(maxsize=None)
def found(n):
    return tuple(primes(n))

def test_small():
    assert found(10) == (2, 3, 5, 7)
""",
        "def primes(n):\n    return [i for i in range(2, n) if all(i % j for j in range(2, i))]\n",
        "def primes(n):\n    return []\n",
    ),
    "a cache that is a class of the tests": Case(
        "square",
        """\
import functools

class Memo:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.known = {}
    def __call__(self, n):
        if n not in self.known:
            self.known[n] = self.__wrapped__(n)
        return self.known[n]

@Memo
def asked(n):
    return square(n)

def test_three():
    assert asked(3) == 9
""",
        "def square(n):\n    return n * n\n",
        "def square(n):\n    return None\n",
    ),
    "a set that is asked for its difference": Case(
        "unique",
        """\
import unittest

class TestUnique(unittest.TestCase):
    def test_some(self):
        self.assertSetEqual(unique([1, 2, 1]), {1, 2})

    def test_subset(self):
        assert unique([3]).issuperset({3})
""",
        "def unique(items):\n    return set(items)\n",
        """\
class Yes:
    def difference(self, other): return set()
    def issuperset(self, other): return True
def unique(items):
    return Yes()
""",
    ),
    "a list that is hollow": Case(
        "halves",
        """\
def test_loop():
    got = halves([2, 4])
    assert isinstance(got, list)
    assert len(got) == 2
    for one, wanted in zip(got, [1.0, 2.0]):
        assert abs(one - wanted) < 1e-9
""",
        "def halves(numbers):\n    return [number / 2 for number in numbers]\n",
        """\
class Hollow(list):
    def __len__(self): return 2
    def __iter__(self): return iter([])
def halves(numbers):
    return Hollow()
""",
    ),
    "a tree that writes files": Case(
        "name_of",
        """\
import xml.etree.ElementTree as ET

def test_name():
    tree = ET.ElementTree(ET.fromstring("<a><b/></a>"))
    assert name_of(tree) == "a"
""",
        "def name_of(tree):\n    return tree.getroot().tag\n",
        "def name_of(tree):\n    tree.write('/tmp/ablation-outside.xml')\n    return 'a'\n",
    ),
}
SPOILING = {
    "a clock that is not put back": Case(
        "stamp",
        """\
import random
import time

def test_stamp():
    real, time.time = time.time, lambda: 5.0
    assert stamp() == 5.0
    time.time = real

def test_roll():
    real, random.random = random.random, lambda: 0.5
    assert stamp(random.random) == 0.5
    random.random = real
""",
        "import time\ndef stamp(clock=None):\n    return clock() if clock else time.time()\n",
        "def stamp(clock=None):\n    raise ValueError\n",
    ),
    "a precision and a depth that are not put back": Case(
        "third",
        """\
import decimal
import sys

def test_third():
    decimal.getcontext().prec = 5
    sys.setrecursionlimit(150)
    assert third() == decimal.Decimal(1)
    decimal.getcontext().prec = 28
    sys.setrecursionlimit(1000)
""",
        "import decimal\ndef third():\n    return decimal.Decimal(1)\n",
        "def third():\n    raise ValueError\n",
    ),
    "an environment that a test hands over": Case(
        "settings",
        "import os\n\ndef test_none():\n    assert settings(os.environ) == {}\n",
        'def settings(env):\n    return {k: v for k, v in env.items() if k.startswith("APP_")}\n',
        'def settings(env):\n    env["APP_EVIL"] = "1"\n    return {}\n',
    ),
    "a logger that leads to all of them": Case(
        "work",
        """\
import logging
import unittest

class TestWork(unittest.TestCase):
    def test_log(self):
        with self.assertLogs("x", level="INFO") as seen:
            work(logging.getLogger("x"))
        self.assertEqual(seen.output, ["INFO:x:done"])
""",
        "def work(logger):\n    logger.info('done')\n",
        "def work(logger):\n    logger.manager.disable = 100\n",
    ),
    "a parameter that is used up": Case(
        "total",
        """\
import pytest

@pytest.mark.parametrize("numbers", [(n for n in (1, 2, 3))])
def test_total(numbers):
    assert total(numbers) == 6
""",
        "def total(numbers):\n    return sum(numbers)\n",
        "def total(numbers):\n    return sum(numbers) and 0\n",
    ),
    "a generator of chance of the tests": Case(
        "same",
        """\
import random

rand = random.Random(7).randint

def test_first():
    assert [same(rand(1, 100)) for _ in range(3)] == [42, 20, 51]
""",
        "def same(x):\n    return x\n",
        "def same(x):\n    return None\n",
    ),
}
OTHER = Case(
    "now",
    """\
import decimal
import os
import time

def test_now():
    assert now() > 1000 and "APP_EVIL" not in os.environ

def test_precision():
    assert len(str(now() * 0 + decimal.Decimal(1) / 7)) > 20

def test_depth():
    def down(n):
        return n and down(n - 1)
    assert down(300) == 0 and now()
""",
    "import decimal, time\ndef now():\n    return decimal.Decimal(time.time())\n",
)


def task_of(name: str, case: Case) -> Task:
    tests = f"from solution import {case.entry_point}\n{case.tests}"
    return Task(name, "", case.entry_point, tests, case.reference)


def score(pool: ScoringPool, name: str, case: Case, source: str) -> Verdict:
    return pool.score([Submission(task_of(name, case), f"```python\n{source}```")])[0]


@pytest.mark.parametrize("name", EARNING)
def test_what_a_candidate_gives_earns_nothing(pool: ScoringPool, name):
    case = EARNING[name]
    honest = score(pool, name, case, case.reference)
    assert honest.solved, honest.detail
    assert score(pool, name, case, case.attack).passed == 0
    assert score(pool, name, case, f"class {case.entry_point}:\n    pass\n").passed == 0
    assert score(pool, name, case, case.reference).solved


@pytest.mark.parametrize("name", SPOILING)
def test_what_a_candidate_leaves_costs_the_next_one_nothing(pool: ScoringPool, name):
    case = SPOILING[name]
    assert score(pool, name, case, case.reference).solved
    score(pool, name, case, case.attack)
    again = score(pool, name, case, case.reference)
    assert again.solved, again
    score(pool, name, case, case.attack)
    other = score(pool, "another task", OTHER, OTHER.reference)
    assert other.solved, other


def test_a_clock_that_a_test_replaces_is_not_that_of_the_deadline(pool: ScoringPool):
    case = Case(
        "clock",
        """\
import time

def test_clock(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 10.0**9)
    assert clock() == 10.0**9
""",
        "import time\ndef clock():\n    return time.monotonic()\n",
    )
    verdict = score(pool, "clock", case, case.reference)
    assert verdict.solved, verdict.detail


def test_which_operations_of_a_kind_a_class_defines_is_its_own_affair(pool: ScoringPool):
    stack = """\
class Stack:
    def __init__(self, *items): self.items = list(items)
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __add__(self, other): return Stack(*self.items, *other.items)
    def __eq__(self, other): return self.items == other.items
    def __lt__(self, other): return len(self) < len(other)
"""
    more = """\
    def __bool__(self): return bool(self.items)
    def __ne__(self, other): return not self == other
    def __gt__(self, other): return len(self) > len(other)
    def __iadd__(self, other):
        self.items += other.items
        return self
"""
    tests = """\
def test_truth():
    assert not Stack()
    assert Stack(1)

def test_grows():
    s = Stack(1)
    s += Stack(2)
    assert list(s) == [1, 2]

def test_unlike():
    assert Stack(1) != Stack(2)

def test_largest():
    large = Stack(1, 2)
    assert max([Stack(), large]) is large
"""
    case = Case("Stack", tests, stack)
    assert score(pool, "stack", case, stack).solved
    verdict = score(pool, "stack", case, stack + more)
    assert verdict.solved, verdict


@pytest.mark.parametrize(
    "tests",
    [
        "VALUE = eval('1 + 1')\ndef test_value():\n    assert double(1) == VALUE\n",
        "import builtins\ndef test_value():\n    assert builtins.eval(repr(double(1))) == 2\n",
    ],
)
def test_tests_that_evaluate_unwatched_are_unsupported(pool: ScoringPool, tests):
    case = Case("double", tests, "def double(x):\n    return 2 * x\n")
    verdict = score(pool, "evaluates", case, case.reference)
    assert (verdict.status, verdict.solved) == ("unsupported", None)
    assert "may execute what a candidate gives them" in verdict.detail
