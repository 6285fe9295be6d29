"""Assertions become tests of their own where that changes nothing, and stay together where it would."""

import ast
import contextlib
from collections.abc import Callable

import pytest

from ablation.tasks.cutting import cut


def bodies(source: str, **options) -> list[str]:
    found = cut(ast.parse(source).body, **options)
    return ["\n".join(map(ast.unparse, body)) for body in found.bodies]


def why(source: str, **options) -> str:
    return cut(ast.parse(source).body, **options).joined


def outcomes(source: str, candidate: Callable) -> list[bool]:
    """Whether each test passes."""
    passed = []
    for body in bodies(source):
        with contextlib.suppress(Exception):
            exec(body, {"candidate": candidate})
            passed.append(True)
            continue
        passed.append(False)
    return passed


def test_each_assertion_is_a_test():
    assert bodies("assert candidate(1) == 1\nassert candidate([2]) == [2], 'two'") == [
        "assert candidate(1) == 1",
        "assert candidate([2]) == [2], 'two'",
    ]


def test_assertions_of_constants_say_nothing_but_those_that_fail_do():
    source = "assert True, 'fine'\nassert candidate(1)\nassert 1\n'text'\nassert False, 'never'"
    assert bodies(source) == ["assert candidate(1)", "assert False, 'never'"]
    assert bodies("assert True") == []


def test_set_up_goes_with_the_assertions_that_it_matters_to():
    source = (
        "a = [1]\nb = a + [2]\nc = 5\nassert candidate(4) == 4\nassert len(b) == candidate(2)\nassert c == candidate(5)"
    )
    assert bodies(source) == [
        "assert candidate(4) == 4",
        "a = [1]\nb = a + [2]\nassert len(b) == candidate(2)",
        "c = 5\nassert c == candidate(5)",
    ]


def test_variables_that_are_assigned_between_assertions_have_their_value_of_then():
    source = "x = candidate(1)\nassert x == 1\nx = candidate(2)\nassert x == 2\ny = 3\nassert candidate(y) == 3"
    assert outcomes(source, lambda x: x) == [True, True, True]
    assert outcomes(source, lambda x: x if x != 1 else 7) == [False, True, True]
    assert bodies(source)[2] == "y = 3\nassert candidate(y) == 3"


def test_what_a_call_may_change_and_a_later_assertion_looks_at_keeps_them_together():
    source = "x = [3, 1]\nassert candidate(x) == [1, 3]\nassert x == [3, 1]\nassert candidate([]) == []"
    assert bodies(source) == [
        "x = [3, 1]\nassert candidate(x) == [1, 3]\nassert x == [3, 1]",
        "assert candidate([]) == []",
    ]
    assert why(source) == "2 of its 3 assertions share x"


def test_set_up_in_between_can_carry_the_change_and_merge_more():
    source = "x = [1]\nassert candidate(x)\ny = x\nassert candidate(2)\nz = y\nassert candidate(z)\nassert candidate(y)"
    assert len(bodies(source)) == 2
    assert why(source) == "3 of its 4 assertions share x, z"


@pytest.mark.parametrize(
    "source",
    [
        "x = 'text'\nassert candidate(x)\nassert candidate(x, 2)",
        "x = (1, -2)\nassert candidate(x)\nassert candidate(x, 2)",
        "import copy\nx = [1]\nassert candidate(copy.deepcopy(x))\nassert candidate(copy.deepcopy(x), 2)",
        "x = [1]\nassert len(x) == 1\nassert x == candidate(1)",
        "import math\nassert math.isclose(candidate(1), 1)\nassert math.isclose(candidate(2), 2)",
        "def near(a, b):\n    return abs(a - b) < 1\nassert near(candidate(1), 1)\nassert near(candidate(2), 2)",
    ],
)
def test_what_no_call_changes_keeps_nothing_together(source):
    assert (len(bodies(source)), why(source)) == (2, "")


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrandom.seed(3)\nassert candidate(random.random())\nassert candidate(random.random())",
        "rng = make()\nassert candidate(rng.random())\nassert candidate(rng.random())",
        "x = []\nassert (x := candidate(1)) == 1\nassert x == 1",
        "it = iter([1, 2])\nassert candidate(next(it)) == 1\nassert candidate(next(it)) == 2",
    ],
)
def test_what_is_used_up_in_order_stays_in_one_test(source):
    assert len(bodies(source)) == 1
    assert why(source)


def test_objects_outside_count_as_shared_when_they_are_named():
    source = "assert candidate(DATA)\nassert candidate(DATA) == 2"
    assert len(bodies(source)) == 2
    assert len(bodies(source, outer={"DATA"})) == 1


def test_a_loop_stays_around_each_of_its_assertions_with_all_of_its_rounds():
    source = (
        "total = 0\nfor n in range(5):\n    total += n\n    assert candidate(n) == n\n    assert candidate(-n) == -n\n"
    )
    source += "assert total == candidate(10)"
    first, second, third = bodies(source)
    assert "assert candidate(n) == n" in first
    assert "candidate(-n)" not in first
    assert "candidate(-n)" in second
    assert "candidate(n)" not in second
    assert "total += n" in third
    assert "assert candidate" not in third
    assert outcomes(source, lambda x: x) == [True, True, True]
    assert outcomes(source, abs) == [True, False, True]


def test_assertions_of_a_loop_that_share_an_object_stay_together_in_either_order():
    later = "seen = []\nfor n in range(3):\n    assert len(seen) == n\n    assert candidate(seen, n) is None"
    assert len(bodies(later)) == 1
    over = "for case in cases():\n    assert candidate(case) == 1\n    assert case == [1]"
    assert len(bodies(over)) == 1


def test_conditions_and_blocks_stay_around_their_assertions():
    source = "x = 3\nif x > 2:\n    assert candidate(1)\nelse:\n    assert candidate(2)\n"
    source += "with open('f') as f:\n    assert candidate(3)"
    assert bodies(source) == [
        "x = 3\nif x > 2:\n    assert candidate(1)",
        "x = 3\nif x > 2:\n    pass\nelse:\n    assert candidate(2)",
        "with open('f') as f:\n    assert candidate(3)",
    ]


def test_expected_exceptions_are_assertions():
    source = (
        "try:\n    candidate('a')\n    assert False\nexcept ValueError:\n    pass\n"
        "with pytest.raises(ValueError):\n    candidate('b')\n"
        "if candidate(1) != 1:\n    raise AssertionError\n"
        "assertEqual(candidate(1), 1)\n"
    )
    found = bodies(source)
    assert [body.split("\n")[0] for body in found] == [
        "try:",
        "with pytest.raises(ValueError):",
        "if candidate(1) != 1:",
        "assertEqual(candidate(1), 1)",
    ]


def test_calls_of_functions_that_assert_are_assertions():
    inside = (
        "def same(a, b):\n    assert a == b\ndef both(a):\n    same(a, a)\nsame(candidate(1), 1)\nboth(candidate(2))"
    )
    first, second = bodies(inside)
    assert first == "def same(a, b):\n    assert a == b\nsame(candidate(1), 1)"
    assert second.endswith("def both(a):\n    same(a, a)\nboth(candidate(2))")
    assert bodies("check_one(candidate(1))\ncheck_one(candidate(2))", helpers={"check_one"}) == [
        "check_one(candidate(1))",
        "check_one(candidate(2))",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "assert candidate(1)\nif candidate(2):\n    return\nassert candidate(3)",
        "global x\nassert candidate(1)\nassert candidate(3)",
        "log = []\ndef spy(x):\n    log.append(x)\nassert candidate(spy) is None\nassert log == [1]",
    ],
)
def test_a_check_that_is_more_than_a_list_of_statements_is_one_test(source):
    assert [ast.dump(ast.parse(body)) for body in bodies(source)] == [ast.dump(ast.parse(source))]
    assert why(source).startswith("the check has a ")
