"""What one candidate does to the tests, the next one must not find."""

import dataclasses

import pytest
from double_task import DOUBLE

# Each asks for the largest item; the reference leaves its argument alone.
TESTS = {
    "a parameter": (
        "import pytest\nfrom solution import double\n\n"
        "@pytest.mark.parametrize('items', [[1, 2]])\ndef test_a(items):\n    assert double(items) == [1, 2, 1, 2]\n"
    ),
    "a global list": (
        "from solution import double\nITEMS = [1, 2]\n\ndef test_a():\n    assert double(ITEMS) == [1, 2, 1, 2]\n"
    ),
    "a list of a class": (
        "from solution import double\n\nclass TestA:\n    items = [1, 2]\n\n"
        "    def test_a(self):\n        assert double(self.items) == [1, 2, 1, 2]\n"
    ),
    "a default argument": (
        "from solution import double\n\ndef helper(items=[1, 2]):\n    return double(items)\n\n"
        "def test_a():\n    assert helper() == [1, 2, 1, 2]\n"
    ),
    "an object of the module": (
        "from types import SimpleNamespace\nfrom solution import double\nKEPT = SimpleNamespace(items=[1, 2])\n\n"
        "def test_a():\n    assert double(KEPT.items) == [1, 2, 1, 2]\n"
    ),
    "a fixture of the session": (
        "import pytest\nfrom solution import double\n\n"
        "@pytest.fixture(scope='session')\ndef items():\n    return [1, 2]\n\n"
        "def test_a(items):\n    assert double(items) == [1, 2, 1, 2]\n"
    ),
    "a counter of the module": (
        "from solution import double\ncount = 0\n\ndef test_a():\n    global count\n    count += 1\n"
        "    assert (count, double([1, 2])) == (1, [1, 2, 1, 2])\n"
    ),
    "an attribute of a function": (
        "from solution import double\n\n"
        "def helper():\n    helper.calls += 1\n    return helper.calls\nhelper.calls = 0\n\n"
        "def test_a():\n    assert (helper(), double([1, 2])) == (1, [1, 2, 1, 2])\n"
    ),
    "a class that setUpClass writes to": (
        "import unittest\nfrom solution import double\n\nclass A(unittest.TestCase):\n    seen = ()\n    @classmethod\n"
        "    def setUpClass(cls):\n        cls.seen = (*cls.seen, 1)\n\n"
        "    def test_a(self):\n        self.assertEqual((self.seen, double([1, 2])), ((1,), [1, 2, 1, 2]))\n"
    ),
}


@pytest.mark.parametrize("tests", TESTS.values(), ids=TESTS)
def test_a_candidate_that_changes_what_the_tests_keep_changes_nothing_for_the_next(score, tests):
    task = dataclasses.replace(DOUBLE, task_id="kept", tests=tests)
    assert score("    x.append(9)\n    return x\n", task).passed == 0
    for number in range(2):
        verdict = score(f"    return x + x\n# {number}\n", task)
        assert verdict.solved, verdict


def test_an_argument_that_is_changed_in_place_is_seen_changed(score):
    tests = (
        "from solution import double\n\ndef test_a():\n    items = [[2], [1]]\n    inner = items[0]\n"
        "    double(items)\n"
        "    assert items == [[1], [2, 0]] and items[1] is inner\n"
    )
    reference = "def double(x):\n    x.sort()\n    x[1].append(0)\n"
    task = dataclasses.replace(DOUBLE, task_id="in place", tests=tests, reference=reference)
    assert score("    x.sort()\n    x[1].append(0)\n", task).solved
    assert score("    x = sorted(x)\n    x[1].append(0)\n", task).passed == 0


def test_a_class_that_keeps_its_callers_list_without_copying_is_caught(score):
    tests = (
        "from solution import Bag\n\ndef test_a():\n    items = [1]\n    bag = Bag(items)\n    items.append(2)\n"
        "    assert bag.size() == 1\n"
    )
    bag = (
        "class Bag:\n    def __init__(self, items):\n        self.items = {}\n"
        "    def size(self):\n        return len(self.items)\n"
    )
    task = dataclasses.replace(
        DOUBLE, task_id="bag", tests=tests, prompt="", entry_point="Bag", reference=bag.format("list(items)")
    )
    assert score(f"```python\n{bag.format('list(items)')}```", task).solved
    assert score(f"```python\n{bag.format('items')}```", task).passed == 0


def test_an_object_of_the_candidate_never_equals_a_builtin_value(score):
    lie = "    class Lie(int):\n        def __eq__(self, other):\n            return True\n    return Lie()\n"
    assert score(lie).passed == 1  # double(0) == 0: as the integer that it is


def test_without_a_reference_objects_of_a_candidate_may_be_compared(score):
    tests = "from solution import Point\n\ndef test_a():\n    assert Point(1) == Point(1) and Point(1) != Point(2)\n"
    point = (
        "class Point:\n    def __init__(self, x):\n        self.x = x\n"
        "    def __eq__(self, other):\n        return self.x == other.x\n"
    )
    task = dataclasses.replace(DOUBLE, task_id="point", tests=tests, prompt="", entry_point="Point", reference=None)
    assert score(f"```python\n{point}```", task).solved
