import ast

import pytest
from audit_task import REFERENCE, TESTS, clamp

from ablation.composing import compose_config
from ablation.tasks.audit.gold import copied
from ablation.tasks.audit.members import members_used
from ablation.tasks.audit.source import called_names, count_tests, names_used_of, required_imports
from ablation.tasks.audit.static import text_findings
from ablation.tasks.audit.values import values_given
from ablation.tasks.load import load_every_task
from ablation.tasks.task import Task

MEAN = "def mean(xs):\n    total = sum(xs)  # of all\n    if not xs:\n        return 0.0\n    return total / len(xs)\n"


def mean(instruction: str) -> Task:
    return Task("mean", f'def mean(xs):\n    """{instruction}"""\n', "mean", "", MEAN)


@pytest.mark.parametrize(
    "instruction",
    [
        f"Solve it so:\n```python\n{MEAN}```",
        "total = sum(xs)\n\nif not xs:\n\treturn 0.0\nreturn total / len(xs)  # done",
        "Try total = sum(xs) if not xs: return 0.0 return total / len(xs) perhaps",
    ],
)
def test_a_solution_that_can_be_copied_is_found_whatever_its_layout(instruction):
    assert "of the solution" in copied(mean(instruction)) or "solution's" in copied(mean(instruction))


@pytest.mark.parametrize(
    "instruction",
    [
        "Return the sum of xs divided by its length, 0.0 if not xs.",
        "Begin with total = sum(xs) if not xs: and go on from there.",
        "mean([1, 2]) == 1.5; return total / len(xs) is one way to end.",
    ],
)
def test_a_formula_in_words_or_one_line_of_several_is_no_gold(instruction):
    assert copied(mean(instruction)) == ""


@pytest.mark.parametrize(
    "shown",
    [
        MEAN.replace("\n", "\n> ").join(["> ", ""]),
        "".join(f"# {line}\n" for line in MEAN.splitlines()),
        "".join(f"{n}. {line}\n" for n, line in enumerate(MEAN.splitlines(), 1)),
        MEAN.replace("total", "acc").replace("xs", "numbers").replace("mean", "solve"),
    ],
)
def test_a_solution_that_is_quoted_or_has_other_names_can_be_copied_too(shown):
    assert "solution" in copied(mean(f"For instance:\n\n{shown}"))


def test_other_code_in_the_instruction_is_no_gold():
    other = "def total(xs):\n    count = 0\n    for x in xs:\n        if x:\n            count += x\n    return count\n"
    assert copied(mean(f"It is called by:\n\n```python\n{other}```")) == ""


PAIRS = [([1, 2], 1.5), ([4], 4.0), ([0, 0, 3], 1.0), ([8, 1], 4.5)]
TABLE = "".join(f"| {xs} | {value} |\n" for xs, value in PAIRS)
STYLES = {
    "plain": "".join(f"def test_{n}():\n    assert mean({xs}) == {value}\n" for n, (xs, value) in enumerate(PAIRS)),
    "unittest": "class TestMean(TestCase):\n"
    + "".join(
        f"    def test_{n}(self):\n        self.assertEqual(mean({xs}), {v})\n" for n, (xs, v) in enumerate(PAIRS)
    ),
    "parametrised": f"@pytest.mark.parametrize('xs, value', {PAIRS})\n"
    "def test_all(xs, value):\n    assert mean(xs) == value\n",
    "near": "".join(f"def test_{n}():\n    assert abs(mean({xs}) - {v}) < 1e-6\n" for n, (xs, v) in enumerate(PAIRS)),
    "approx": "".join(f"def test_{n}():\n    assert mean({xs}) == approx({v})\n" for n, (xs, v) in enumerate(PAIRS)),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "instruction",
    [TABLE, "; ".join(f"mean({xs}) gives {value}" for xs, value in PAIRS), ", ".join(str(value) for _, value in PAIRS)],
)
def test_expected_values_that_can_be_copied_as_a_block_are_gold(style, instruction):
    task = Task("mean", f"Write mean(xs).\n\n{instruction}\n", "mean", STYLES[style], MEAN)
    assert "4 answers that the tests expect stand in the instruction" in values_given(task)
    assert "gold_in_instruction" in {finding.kind for finding in text_findings(task)}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "instruction",
    ["mean([1, 2]) == 1.5 and mean([4]) == 4.0", "Of 1, 2, 4, 0 and 8 the mean may be 1.0 or 4.0 or the like.", ""],
)
def test_an_example_or_two_are_no_gold(style, instruction):
    assert values_given(Task("mean", f"Write mean(xs).\n{instruction}\n", "mean", STYLES[style], MEAN)) == ""


BOX = (
    "class Box:\n    size = 3\n    def __init__(self, n=0):\n        self.held = n\n"
    "    def pop(self):\n        return self.held\n"
    "    def refold(self, twice=False):\n        return self\n"
)


@pytest.mark.parametrize(
    ("tests", "used"),
    [
        ("b = Box()\nassert b.refold().held == 0\n", {"refold", "held"}),
        ("assert [1].pop() == 1\n", set()),
        ("b = Box()\nassert b.pop() == 0\n", {"pop"}),
        ("assert Box(n=4).size == 3\n", {"n", "size"}),
        ("assert Box().refold(twice=True)\n", {"refold"}),
        ("assert Box().__class__ and Box().other\n", set()),
    ],
)
def test_members_and_keywords_that_the_tests_use_are_found(tests, used):
    body = "".join(f"    {line}\n" for line in tests.splitlines())
    source = f"from solution import Box\ndef test_a():\n{body}"
    assert members_used(Task("box", "A Box.\n", "Box", source, BOX)) == used


def test_a_method_that_the_instruction_describes_without_its_name_is_unnamed():
    tests = "from solution import Box\ndef test_a():\n    assert Box(1).refold()\n"
    for prompt, kinds in (("A Box can be folded again.", ["unnamed_api"]), ("Box: Refold it.", [])):
        found = text_findings(Task("box", prompt, "Box", tests, BOX))
        assert [finding.kind for finding in found] == kinds


def test_the_docstring_of_the_reference_is_no_part_of_the_solution():
    reference = 'def f(x):\n    """Add one."""\n    return x + 1\n'
    later = (
        'def f(x):\n    import math\n    """Add one to x and return it, whatever x is."""\n    return math.ceil(x)\n'
    )
    assert copied(Task("f", 'def f(x):\n    """Add one."""\n', "f", "", reference)) == ""
    assert copied(Task("f", later[: later.rindex("    return")], "f", "", later)) == ""
    assert copied(Task("f", "Write f. For instance:\n    return x + 1\n", "f", "", reference))


def test_no_kata_gives_its_solution_away_or_needs_what_is_not_here():
    tasks = load_every_task(compose_config([]).tasks).tasks
    assert len(tasks) == 550
    assert [finding for task in tasks for finding in text_findings(task)] == []


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import a.b as c\nfrom d.e import f\nfrom . import g\n", {"a.b", "d.e"}),
        ("try:\n    import a\nexcept ImportError:\n    a = None\nelse:\n    import b\n", {"b"}),
        ("try:\n    import a\nexcept KeyError:\n    pass\n", {"a"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n", {"typing"}),
        ("def f():\n    import a\n", {"a"}),
    ],
)
def test_imports_are_those_that_the_source_cannot_do_without(source, needed):
    assert required_imports(ast.parse(source)) == needed


def test_calls_are_named_by_where_they_come_from():
    source = (
        "import urllib.request as u\nfrom socket import create_connection as c\nu.urlopen('')\nc(('x', 1))\nf().g()\n"
    )
    found = called_names(ast.parse(source))
    assert {"urllib.request.urlopen", "socket.create_connection", "f"} <= found


def test_a_network_call_that_the_tests_replace_is_none():
    reference = (
        f"import urllib.request\n{REFERENCE}\ndef fetch():\n    return urllib.request.urlopen('http://x.test')\n"
    )
    replaced = clamp(reference=reference, tests=f"from unittest.mock import patch\n{TESTS}")
    assert [finding.kind for finding in text_findings(replaced)] == []
    assert [finding.kind for finding in text_findings(clamp(reference=reference))] == ["needs_network"]


@pytest.mark.parametrize(
    ("line", "network"),
    [
        ("import subprocess\nsubprocess.run(['curl', 'http://x.test'])", True),
        ("import os\nos.system('git clone http://x.test/y')", True),
        ("import subprocess\nsubprocess.run(['ls'])", False),
        ("import socket as s\ns.socket().connect(('x.test', 1))", True),
        ("requests = []\nrequests.append(1)", False),
        ("import requests\nrequests.get('http://x.test')", True),
    ],
)
def test_programs_and_sockets_count_as_network_and_names_that_only_look_like_it_do_not(line, network):
    kinds = {finding.kind for finding in text_findings(clamp(reference=f"{line}\n{REFERENCE}"))}
    assert ("needs_network" in kinds) is network


@pytest.mark.parametrize(
    ("tests", "used"),
    [
        ("from solution import a, b as c\n", {"a", "b"}),
        ("import solution as s\ndef test_a():\n    assert s.a(s.__doc__) == s.B\n", {"a", "B"}),
        ("from solution import *\ndef test_a():\n    x = a(1)\n    assert x == len([c])\n", {"a"}),
        ("from other import a\nother.b\n", set()),
    ],
)
def test_names_used_of_the_module_are_found_in_every_way_of_importing(tests, used):
    assert names_used_of("solution", ast.parse(tests), defined={"a", "b"}) == used


def test_a_name_counts_as_said_only_as_a_whole_word():
    tests = f"{TESTS}\ndef test_more():\n    from solution import clam\n    assert clam\n"
    (finding,) = [f for f in text_findings(clamp(tests=tests)) if f.kind == "unnamed_api"]
    assert finding.detail == "the tests use clam, which the prompt never names"


def test_tests_are_functions_at_the_top_and_methods_of_test_classes():
    source = (
        "import unittest\ndef test_a(): ...\nasync def test_b(): ...\ndef helper():\n    def test_c(): ...\n"
        "class TestD:\n    def test_e(self): ...\nclass F(unittest.TestCase):\n    def test_g(self): ...\n"
        "class H:\n    def test_i(self): ...\n"
    )
    assert count_tests(ast.parse(source)) == 4


def test_answers_are_seen_behind_a_name_that_a_call_was_given():
    tests = "".join(
        f"def test_{n}():\n    result = clamp({n}, 2, 90)\n    assert result == {n}\n\n" for n in (20, 31, 42, 53)
    )
    shown = "".join(f"clamp({n}, 2, 90) -> {n}\n" for n in (20, 31, 42, 53))
    assert values_given(clamp(tests=tests, prompt=f"Write `clamp`.\n{shown}"))
    assert not values_given(clamp(tests=tests, prompt=f"Write `clamp`.\n{shown[:25]}"))


def test_an_import_whose_failure_is_raised_again_is_needed():
    source = "try:\n    import absent\nexcept ImportError:\n    raise RuntimeError('install it')\n"
    assert required_imports(ast.parse(source)) == {"absent"}


def test_tests_that_ask_for_docstrings_are_not_supported():
    tests = f"import doctest\nimport solution\n{TESTS}\ndef test_doc():\n    doctest.testmod(solution)\n"
    assert "unsupported" in [finding.kind for finding in text_findings(clamp(tests=tests))]


@pytest.mark.parametrize(
    ("digits", "gold"), [("0, 1, 0, 2, 2, 0", True), ("0, 1, 0 and also 2, 2, 0", False), ("0, 1, 0, 2, 2", False)]
)
def test_answers_of_one_digit_are_gold_where_six_of_them_stand_side_by_side(digits, gold):
    answers = [0, 1, 0, 2, 2, 0][: digits.count(",") + 1 + ("and" in digits)]
    tests = "".join(f"def test_{n}():\n    assert count({n}) == {value}\n" for n, value in enumerate(answers))
    task = Task("count", f"Write count(n).\n\n{digits}.\n", "count", tests, "def count(n):\n    return n % 3\n")
    assert bool(values_given(task)) == gold
