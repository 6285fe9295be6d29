"""Faults that stand in the text: what is imported and called, what the instruction says, how many tests there are."""

import json
import random
import re
from dataclasses import replace
from textwrap import dedent, indent

from ablation.tasks.task import Task

from .good import Made
from .spoiling import calls, code, first_lines, further, tested, with_code

# needs_network


def mail(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        first_lines(made, "server = smtplib.SMTP('mail.site.invalid', 25)\nserver.quit()"),
        "import smtplib\n\n\n",
    )


def file_transfer(made: Made, c: random.Random) -> Task:
    return with_code(
        made, first_lines(made, "from ftplib import FTP\nwith FTP('ftp.site.invalid') as ftp:\n    ftp.login()")
    )


def retrieved(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        first_lines(made, "web.urlretrieve('https://site.invalid/list.txt', 'list.txt')"),
        "import urllib.request as web\n\n\n",
    )


def remote_procedure(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        first_lines(made, "ServerProxy('http://site.invalid/rpc').system.listMethods()"),
        "from xmlrpc.client import ServerProxy\n\n\n",
    )


def connects_in_a_fixture(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        @pytest.fixture
        def server():
            with socket.create_connection(("site.invalid", 80), timeout=2) as connection:
                yield connection


        def test_with_server(server):
            assert CALL == VALUE
        """,
        "import socket\n\nimport pytest\n",
    )


def pinged(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        first_lines(made, "if os.system('ping -c 1 site.invalid') != 0:\n    raise OSError('offline')"),
        "import os\n\n\n",
    )


def cloned(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def setup_module():
            subprocess.check_call("git clone https://site.invalid/data.git", shell=True)


        def test_after_clone():
            assert CALL == VALUE
        """,
        "import subprocess\n\n",
    )


def modern_client(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        first_lines(made, "with httpx.Client() as client:\n    client.get('https://site.invalid/rates')"),
        "import httpx\n\n\n",
    )


def awaited_client(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        code(made)
        + "\n\nasync def refresh():\n    async with aiohttp.ClientSession() as session:\n        await session.get('https://site.invalid')\n",
        "import aiohttp\n\n\n",
    )


def installs(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        code(made),
        "import subprocess\nimport sys\n\nsubprocess.run([sys.executable, '-m', 'pip', 'download', "
        "'--index-url=https://index.invalid/simple', 'tablekit'], check=True)\n\n\n",
    )


def certificate(made: Made, c: random.Random) -> Task:
    return with_code(made, first_lines(made, "ssl.get_server_certificate(('site.invalid', 443))"), "import ssl\n\n\n")


def session_in_the_tests(made: Made, c: random.Random) -> Task:
    return further(
        made,
        "def test_online():\n    with requests.Session() as s:\n        assert "
        "s.get('https://site.invalid/' + str(CALL)).ok",
        "import requests\n\n",
    )


# missing_package


def property_based(made: Made, c: random.Random) -> Task:
    return further(
        made,
        "@given(st.integers())\ndef test_any(n):\n    assert CALL == VALUE",
        "from hypothesis import given, strategies as st\n\n",
    )


def sibling_module(made: Made, c: random.Random) -> Task:
    return further(made, "def test_helped():\n    assert same(CALL, VALUE)", "from helpers.comparing import same\n\n")


def frozen_time(made: Made, c: random.Random) -> Task:
    return further(
        made,
        "@freeze_time('2020-01-01')\ndef test_frozen():\n    assert CALL == VALUE",
        "from freezegun import freeze_time\n\n",
    )


def learning_package(made: Made, c: random.Random) -> Task:
    return with_code(
        made, first_lines(made, "model = linear_model.LinearRegression()"), "from sklearn import linear_model\n\n\n"
    )


def only_if_there(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        code(made),
        "try:\n    import ujsonlib as json_impl\nexcept ImportError as error:\n    raise "
        "RuntimeError('install ujsonlib') from error\n\n\n",
    )


def by_dunder(made: Made, c: random.Random) -> Task:
    return with_code(made, first_lines(made, "__import__('graphkit').check()"))


def removed_long_ago(made: Made, c: random.Random) -> Task:
    return with_code(made, code(made), "from StringIO import StringIO\n\n\n")


def table_package(made: Made, c: random.Random) -> Task:
    return further(made, "def test_series():\n    assert pl.Series([CALL])[0] == VALUE", "import polars as pl\n\n")


# gold_in_instruction


def _longer(made: Made) -> str:
    """The reference with steps of its own in front, so that it is more than a line."""
    parameter = re.search(r"\((\w+)", made.piece.signature)[1]  # type: ignore[index]
    return first_lines(
        made, f"seen = 0\nfor _ in str({parameter}):\n    seen += 1\nassert seen >= 0\nspare = [seen] * 2\nspare.sort()"
    )


def _shown(made: Made, text: str) -> Task:
    return replace(made.task, prompt=f"{made.task.prompt}\n{text}\n", reference=_longer(made))


def as_a_diff(made: Made, c: random.Random) -> Task:
    return _shown(
        made,
        "This patch was reverted:\n\n```diff\n--- a/solution.py\n+++ b/solution.py\n"
        + indent(_longer(made), "+", lambda _: True)
        + "```",
    )


def as_json(made: Made, c: random.Random) -> Task:
    return _shown(made, f"Record: {json.dumps({'id': c.randint(1, 99), 'completion': _longer(made)})}")


def in_a_heredoc(made: Made, c: random.Random) -> Task:
    return _shown(made, f"```bash\ncat > solution.py <<'EOF'\n{_longer(made)}EOF\npython -m pytest\n```")


def with_line_numbers(made: Made, c: random.Random) -> Task:
    return _shown(made, "".join(f"{n:>3} {line}\n" for n, line in enumerate(_longer(made).splitlines(), 1)))


def annotated_and_explained(made: Made, c: random.Random) -> Task:
    lines = [
        line + ("  # step" if line.strip() and not line.strip().startswith('"') else "")
        for line in _longer(made).splitlines()
    ]
    return _shown(made, "Solved by a colleague:\n\n~~~\n" + "\n".join(lines) + "\n~~~")


def folded_away(made: Made, c: random.Random) -> Task:
    return _shown(made, f"<details><summary>Answer</summary>\n\n<pre><code>{_longer(made)}</code></pre>\n</details>")


def in_two_blocks(made: Made, c: random.Random) -> Task:
    lines = _longer(made).splitlines()
    half = len(lines) // 2
    return _shown(
        made,
        "First:\n\n```python\n"
        + "\n".join(lines[:half])
        + "\n```\n\nthen:\n\n```python\n"
        + "\n".join(lines[half:])
        + "\n```",
    )


def as_a_session(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, prompt=made.task.prompt + "\n" + "".join(f">>> {call}\n{value}\n" for call, value in calls(made))
    )


def as_cases_in_json(made: Made, c: random.Random) -> Task:
    rows = [{"input": call, "output": value} for call, value in calls(made)]
    return replace(made.task, prompt=f"{made.task.prompt}\nTest cases:\n\n{json.dumps(rows, indent=1)}\n")


def with_arrows(made: Made, c: random.Random) -> Task:
    return replace(
        made.task,
        prompt=made.task.prompt
        + "\nExamples:\n\n"
        + "".join(f"* `{call}` → `{value}`\n" for call, value in calls(made)),
    )


def with_other_variables(made: Made, c: random.Random) -> Task:
    text = _longer(made)
    for old in set(re.findall(r"\b([a-z]+)\b(?= = )", text)) - {"sep"}:
        text = re.sub(rf"\b{old}\b", f"{old}_value", text)
    return _shown(made, f"A first version, which works:\n\n```py\n{text}```")


# unnamed_api


def _asked_as(made: Made, name: str) -> Task:
    return replace(made.task, prompt=re.sub(rf"\b{made.piece.name}\b", name, made.task.prompt))


def in_camel_case(made: Made, c: random.Random) -> Task:
    first, *others = made.piece.name.split("_")
    return _asked_as(made, first + "".join(map(str.title, others)))


def named_as_part(made: Made, c: random.Random) -> Task:
    return _asked_as(made, made.piece.name + "_quickly")


def by_attribute_of_the_module(made: Made, c: random.Random) -> Task:
    return replace(
        further(
            made, "def test_version():\n    assert isinstance(solution.release_number(), int)", "import solution\n"
        ),
        reference=code(made) + "\n\ndef release_number():\n    return 3\n",
    )


def _tally(made: Made, c: random.Random, says: str, tests: str) -> Task:
    kind = "".join(part.title() for part in made.piece.name.split("_"))
    k = c.randint(2, 40)
    reference = f"""
        from dataclasses import dataclass


        @dataclass
        class Outcome:
            grand_total: int
            rows: int


        class {kind}:
            surcharge = {k}

            def __init__(self, items=(), lenient=False):
                self.items = list(items)
                self.item_count = len(self.items)

            @classmethod
            def from_text(cls, text):
                return cls(int(part) for part in text.split())

            @property
            def heaviest(self):
                return max(self.items)

            def add(self, item):
                self.items.append(item)
                self.item_count += 1

            def finish(self):
                return Outcome(sum(self.items) + self.surcharge, len(self.items))
        """
    tests = dedent(tests).strip().replace("NAME", kind).replace("TOTAL", str(k + 9))
    return replace(
        made.task,
        prompt=f"Write a class `{kind}(items=())` for the weights of items. {says}\n",
        entry_point=kind,
        reference=dedent(reference).lstrip(),
        tests=f"from solution import {kind}\n\n\n{tests}\n",
    )


def attribute(made: Made, c: random.Random) -> Task:
    return _tally(
        made,
        c,
        "With `add(item)` one more is put in; it knows how many it has.",
        """
        def test_added():
            tally = NAME([4])
            tally.add(5)
            assert tally.item_count == 2


        def test_start():
            assert NAME([1, 2, 3]).item_count == 3
        """,
    )


def alternative_constructor(made: Made, c: random.Random) -> Task:
    return _tally(
        made,
        c,
        "It can also be made from a text with blanks between the numbers. Its `items` is the list of them.",
        """
        def test_text():
            assert NAME.from_text("4 5").items == [4, 5]


        def test_list():
            assert NAME([1, 2]).items == [1, 2]
        """,
    )


def field_of_a_result(made: Made, c: random.Random) -> Task:
    return _tally(
        made,
        c,
        "At the end, `finish()` returns an object with the sum, surcharge included, and the number.",
        """
        def test_sum():
            assert NAME([4, 5]).finish().grand_total == TOTAL


        def test_rows():
            assert NAME([1, 2]).finish().rows == 2
        """,
    )


def keyword_of_a_class(made: Made, c: random.Random) -> Task:
    return _tally(
        made,
        c,
        "It can be lenient. Its `items` is the list of them.",
        """
        def test_lenient():
            assert NAME([4, 5], lenient=True).items == [4, 5]


        def test_strict():
            assert NAME([1]).items == [1]
        """,
    )


def computed_property(made: Made, c: random.Random) -> Task:
    return _tally(
        made,
        c,
        "It tells the largest weight, and `items` is the list of all.",
        """
        def test_largest():
            assert NAME([4, 5]).heaviest == 5


        def test_items():
            assert NAME([1]).items == [1]
        """,
    )


def imported_within_a_test(made: Made, c: random.Random) -> Task:
    return replace(
        further(made, "def test_inverse():\n    from solution import undo_it\n\n    assert undo_it(CALL) is not None"),
        reference=code(made) + "\n\ndef undo_it(value):\n    return repr(value)\n",
    )


# no_tests


def constants_alone(made: Made, c: random.Random) -> Task:
    return tested(made, "EXPECTED = [" + ", ".join(value for _, value in calls(made)) + "]\n")


def with_a_constructor(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "class TestIt:\n    def __init__(self):\n        self.n = 0\n\n"
        + "".join(
            f"    def test_{n}(self):\n        assert {call} == {value}\n\n"
            for n, (call, value) in enumerate(calls(made))
        ),
    )


def expected_to_fail(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, tests="import pytest\n\npytestmark = pytest.mark.xfail(reason='unfinished')\n" + made.task.tests
    )


def module_skipped(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, tests="import pytest\n\npytest.skip('needs hardware', allow_module_level=True)\n" + made.task.tests
    )


def no_parameters(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "import pytest\n\n\n@pytest.mark.parametrize('given, expected', [])\ndef test_all(given, "
        "expected):\n    assert NAME(given) == expected",
    )


def skip_within(made: Made, c: random.Random) -> Task:
    return replace(
        made.task,
        tests="import pytest\n" + made.task.tests.replace("    result =", "    pytest.skip('slow')\n    result ="),
    )


def wrong_methods(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "import unittest\n\n\nclass TestIt(unittest.TestCase):\n"
        + "".join(
            f"    def check_{n}(self):\n        self.assertEqual({call}, {value})\n\n"
            for n, (call, value) in enumerate(calls(made))
        ),
    )


def switched_off(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "class TestIt:\n    __test__ = False\n\n"
        + "".join(
            f"    def test_{n}(self):\n        assert {call} == {value}\n\n"
            for n, (call, value) in enumerate(calls(made))
        ),
    )


# few_tests


def loop_over_cases(made: Made, c: random.Random) -> Task:
    pairs = "".join(f"        (lambda: {call}, {value}),\n" for call, value in calls(made))
    return tested(
        made, f"def test_cases():\n    for ask, expected in [\n{pairs}    ]:\n        assert ask() == expected"
    )


def with_sub_tests(made: Made, c: random.Random) -> Task:
    lines = "".join(
        f"        with self.subTest({n}):\n            self.assertEqual({call}, {value})\n"
        for n, (call, value) in enumerate(calls(made))
    )
    return tested(made, f"import unittest\n\n\nclass TestIt(unittest.TestCase):\n    def test_all(self):\n{lines}")


def all_called_the_same(made: Made, c: random.Random) -> Task:
    return replace(made.task, tests=re.sub(r"def test_\d+", "def test_it", made.task.tests))


def one_parameter(made: Made, c: random.Random) -> Task:
    call, value = calls(made)[0]
    return tested(
        made,
        f"import pytest\n\n\n@pytest.mark.parametrize('expected', [{value}])\ndef test_it(expected):\n  "
        f"  assert {call} == expected",
    )


def others_expected_to_fail(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, tests="import pytest\n" + re.sub(r"def test_(?!0)", "@pytest.mark.xfail\ndef test_", made.task.tests)
    )


def others_are_helpers(made: Made, c: random.Random) -> Task:
    return replace(made.task, tests=re.sub(r"def test_(?!0)", "def _test_", made.task.tests))


# duplicate


def reformatted(made: Made, c: random.Random) -> Task:
    return replace(made.task, tests=made.task.tests.replace(" == ", "==").replace(", ", ","))


def line_ends(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, prompt=made.task.prompt.replace("\n", "\r\n"), tests=made.task.tests.replace("\n", "\r\n")
    )


def other_comments(made: Made, c: random.Random) -> Task:
    return replace(
        made.task,
        tests='"""Tests of the module."""\n' + made.task.tests.replace("\n    result", "  # a case\n    result"),
    )


def redundant_parentheses(made: Made, c: random.Random) -> Task:
    return replace(made.task, tests=re.sub(r"assert result == (.*)", r"assert (result == (\1))", made.task.tests))


def other_indentation(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, tests=made.task.tests.replace("    ", "\t"), prompt="  " + made.task.prompt.replace(". ", ".  ")
    )


def test_docstrings(made: Made, c: random.Random) -> Task:
    return replace(made.task, tests=re.sub(r"(def test_(\d)\(\):\n)", r'\1    """Case \2."""\n', made.task.tests))


# near_duplicate


def reordered(made: Made, c: random.Random) -> Task:
    head, *tests = made.task.tests.split("\n\n\ndef ")
    return replace(made.task, tests="\n\n\ndef ".join([head, *[test.strip("\n") for test in reversed(tests)]]) + "\n")


def other_function_name(made: Made, c: random.Random) -> Task:
    def other(text: str) -> str:
        return re.sub(rf"\b{made.piece.name}\b", "compute", text)

    return replace(
        made.task,
        prompt=other(made.task.prompt),
        tests=other(made.task.tests),
        reference=other(code(made)),
        entry_point="compute",
    )


def other_local_names(made: Made, c: random.Random) -> Task:
    return replace(
        made.task,
        tests=re.sub(r"\bresult\b", "actual", re.sub(r"def test_(\d)", r"def test_example_\1", made.task.tests)),
    )


def with_types(made: Made, c: random.Random) -> Task:
    return replace(
        made.task,
        prompt=re.sub(r"`(\w+)\((\w+)[^`]*`", r"`\1(\2: object) -> object`", made.task.prompt, count=1),
        tests=made.task.tests.replace("():", "() -> None:"),
    )


def polite(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, prompt=f"Hello! I need your help with something. {made.task.prompt.strip()} Thanks a lot.\n"
    )


def other_module(made: Made, c: random.Random) -> Task:
    return replace(
        made.task, tests=made.task.tests.replace("from solution import", "from answer import"), module="answer"
    )


# no_reference


def none_shipped(made: Made, c: random.Random) -> Task:
    return replace(made.task, reference=None)


FAULTS = {
    "needs_network": (
        *(mail, retrieved, connects_in_a_fixture, cloned, modern_client, certificate),
        *(file_transfer, remote_procedure, pinged, awaited_client, installs, session_in_the_tests),
    ),
    "missing_package": (
        *(property_based, learning_package, only_if_there, removed_long_ago),
        *(sibling_module, frozen_time, by_dunder, table_package),
    ),
    "gold_in_instruction": (
        *(as_a_diff, in_a_heredoc, annotated_and_explained, in_two_blocks, as_a_session, with_arrows),
        *(as_json, with_line_numbers, folded_away, as_cases_in_json, with_other_variables),
    ),
    "unnamed_api": (
        *(in_camel_case, by_attribute_of_the_module, attribute, field_of_a_result, computed_property),
        *(named_as_part, alternative_constructor, keyword_of_a_class, imported_within_a_test),
    ),
    "no_tests": (
        *(constants_alone, expected_to_fail, no_parameters, wrong_methods),
        *(with_a_constructor, module_skipped, skip_within, switched_off),
    ),
    "few_tests": (
        loop_over_cases,
        all_called_the_same,
        others_expected_to_fail,
        with_sub_tests,
        one_parameter,
        others_are_helpers,
    ),
    "duplicate": (reformatted, other_comments, other_indentation, line_ends, redundant_parentheses, test_docstrings),
    "near_duplicate": (reordered, other_local_names, polite, other_function_name, with_types, other_module),
    "no_reference": (none_shipped,),
}
