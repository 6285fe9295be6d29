"""Faults that stand in the text of a task."""

import random
import re
import textwrap
from dataclasses import replace

from ablation.tasks.task import Task

_ASSERTION = re.compile(r"    assert (.+) (==|is|<) (.+)\n")


def _prose(task: Task) -> str:
    """The instruction as prose, without the name of the function where it was a signature."""
    if not task.prompt.startswith("def "):
        return task.prompt
    return f"Write the function `{task.prompt.partition(':')[0][4:]}`.\n\n{task.prompt.split(chr(34) * 3)[1].strip()}\n"


def _body(task: Task) -> str:
    assert task.reference is not None
    return textwrap.dedent(task.reference.partition(":\n")[2])


def _long(task: Task) -> Task:
    """With a solution of some length: one line of code could be a formula that the instruction states."""
    assert task.reference is not None
    extra = "    total = 0\n    for index, entry in enumerate(str(x)):\n        total += index * len(entry)\n"
    extra += "    checked = total >= 0\n"
    at = task.reference.rindex("    return")
    return replace(task, reference=task.reference[:at] + extra + task.reference[at:])


def urlopen_in_the_reference(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "from urllib.request import urlopen", "urlopen('http://data.site.invalid/rates').read()")


def request_by_module(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "from urllib import request", "request.urlopen('http://api.site.invalid').read()")


def requests_package(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "import requests", "requests.get('https://api.site.invalid/v1').json()")


def connection(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "import socket", "socket.create_connection(('site.invalid', 80), 1)")


def bare_socket(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "import socket as s", "s.socket(s.AF_INET, s.SOCK_STREAM).connect(('site.invalid', 443))")


def http_client(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "import http.client", "http.client.HTTPSConnection('site.invalid').request('GET', '/')")


def download_in_the_tests(task: Task, chance: random.Random) -> Task:
    extra = "\n\ndef test_against_the_service():\n    assert urllib.request.urlopen('http://site.invalid/x').read()\n"
    return replace(task, tests=f"import urllib.request\n{task.tests}{extra}")


def curl(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "import subprocess", "subprocess.run(['curl', '-s', 'http://site.invalid'], check=True)")


def name_lookup(task: Task, chance: random.Random) -> Task:
    return _with_call(task, "import socket", "socket.gethostbyname('site.invalid')")


def asynchronous(task: Task, chance: random.Random) -> Task:
    call = "asyncio.run(asyncio.open_connection('site.invalid', 80))"
    return _with_call(task, "import asyncio", call)


def _with_call(task: Task, imported: str, call: str) -> Task:
    assert task.reference is not None
    at = task.reference.rindex("    x = ") if "    x = " in task.reference else task.reference.rindex("    return")
    return replace(task, reference=f"{imported}\n\n\n{task.reference[:at]}    found = {call}\n{task.reference[at:]}")


def absent_at_the_top(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=f"import fastlinalg\n\n\n{task.reference}")


def absent_in_the_function(task: Task, chance: random.Random) -> Task:
    assert task.reference is not None
    return replace(task, reference=task.reference.replace(":\n", ":\n    from quickparse.core import tokenise\n\n", 1))


def absent_in_the_tests(task: Task, chance: random.Random) -> Task:
    return replace(task, tests=f"import pytest_superpowers as sp\n{task.tests}")


def absent_by_name(task: Task, chance: random.Random) -> Task:
    return replace(
        task, reference=f"import importlib\n\nhelper = importlib.import_module('colourlib')\n\n\n{task.reference}"
    )


def not_for_candidates(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=f"import numpy as np\n\n\n{task.reference}")


def solution_in_a_fence(task: Task, chance: random.Random) -> Task:
    task = _long(task)
    return replace(task, prompt=f"{_prose(task)}\nA possible solution:\n\n```python\n{task.reference}```\n")


def solution_as_a_body(task: Task, chance: random.Random) -> Task:
    task = _long(task)
    return replace(task, prompt=f"{_prose(task)}\nStart from this:\n\n{textwrap.indent(_body(task), '    ')}")


def solution_with_other_names(task: Task, chance: random.Random) -> Task:
    task = _long(task)
    renamed = re.sub(
        r"\btotal\b", "acc", re.sub(r"\bx\b", "current", re.sub(r"\bentry\b", "part", task.reference or ""))
    )
    renamed = re.sub(rf"\b{task.entry_point}\b", "solve", renamed)
    return replace(task, prompt=f"{_prose(task)}\nSomebody wrote:\n\n```\n{renamed}```\n")


def solution_quoted(task: Task, chance: random.Random) -> Task:
    task = _long(task)
    return replace(task, prompt=_prose(task) + "\nHint:\n\n" + textwrap.indent(_body(task), "> "))


def solution_in_comments(task: Task, chance: random.Random) -> Task:
    task = _long(task)
    return replace(
        task, prompt=_prose(task) + "\nNotes:\n\n" + textwrap.indent(task.reference or "", "# ", lambda _: True)
    )


def tests_pasted(task: Task, chance: random.Random) -> Task:
    return replace(task, prompt=f"{_prose(task)}\nIt will be tested like this:\n\n```python\n{task.tests}```\n")


def assertions_listed(task: Task, chance: random.Random) -> Task:
    lines = [f"assert {call} {sign} {value}" for call, sign, value in _ASSERTION.findall(task.tests)]
    return replace(task, prompt=_prose(task) + "\nThese must hold:\n\n" + "\n".join(lines) + "\n")


def table_of_values(task: Task, chance: random.Random) -> Task:
    rows = [f"| `{call}` | `{value}` |" for call, _, value in _ASSERTION.findall(task.tests)]
    return replace(task, prompt=_prose(task) + "\n| input | output |\n|---|---|\n" + "\n".join(rows) + "\n")


def values_alone(task: Task, chance: random.Random) -> Task:
    values = [
        call.rpartition(" - ")[2].rstrip(")") if sign == "<" else value  # abs(f(x) - value) < tolerance
        for call, sign, value in _ASSERTION.findall(task.tests)
    ]
    return replace(task, prompt=f"{_prose(task)}\nThe expected outputs are, in order: {', '.join(values)}.\n")


def nameless_prompt(task: Task, chance: random.Random) -> Task:
    said = re.sub(rf"\b{task.entry_point}\b", "it", _prose(task)).replace(
        "Write the function `it", "Write a function for `it"
    )
    return replace(task, prompt=said)


def hidden_helper(task: Task, chance: random.Random) -> Task:
    more = "\n\ndef test_helper():\n    assert normalise_input([3]) == [3]\n"
    tests = task.tests.replace(f"import {task.entry_point}\n", f"import {task.entry_point}, normalise_input\n", 1)
    return replace(
        task, tests=tests + more, reference=f"{task.reference}\n\ndef normalise_input(x):\n    return list(x)\n"
    )


def hidden_constant(task: Task, chance: random.Random) -> Task:
    more = "\n\ndef test_limit():\n    assert solution.UPPER_LIMIT == 512\n"
    return replace(
        task, tests=f"import solution\n{task.tests}{more}", reference=f"UPPER_LIMIT = 512\n\n\n{task.reference}"
    )


def hidden_method(task: Task, chance: random.Random) -> Task:
    kind = task.entry_point.title().replace("_", "")
    code = (
        f"class {kind}:\n    def __init__(self, n):\n        self.n = n\n\n    def grow(self):\n        self.n += 3\n"
        "        return self.n\n\n    def refold(self, k):\n        return self.n * k + 1\n"
    )
    tests = (
        f"from solution import {kind}\n\n\ndef test_grow():\n    box = {kind}(4)\n    assert box.grow() == 7\n\n\n"
        f"def test_refold():\n    box = {kind}(5)\n    assert box.refold(3) == 16\n\n\n"
        f"def test_more():\n    assert {kind}(1).grow() == 4\n"
    )
    prompt = (
        f"Write a class `{kind}(n)` for a growing number: `grow()` adds three and returns it. It can be folded too.\n"
    )
    return replace(task, prompt=prompt, entry_point=kind, tests=tests, reference=code)


def hidden_keyword(task: Task, chance: random.Random) -> Task:
    code = f"def {task.entry_point}(text, shouting=False):\n    return text.upper() + '!' if shouting else text + '.'\n"
    tests = f"from solution import {task.entry_point} as f\n\n\ndef test_plain():\n    assert f('ab') == 'ab.'\n\n\n"
    tests += "def test_loud():\n    assert f('ab', shouting=True) == 'AB!'\n"
    prompt = f"Write `{task.entry_point}(text)`, which ends a sentence with a full stop, or loudly on demand.\n"
    return replace(task, prompt=prompt, tests=tests, reference=code)


def hidden_error(task: Task, chance: random.Random) -> Task:
    code = f"class RefusedInputError(Exception):\n    pass\n\n\n{task.reference}"
    code = code.replace(
        ":\n    x =", ":\n    if not hasattr(DATA, '__len__'):\n        raise RefusedInputError\n    x =", 1
    )
    code = code.replace("DATA", code.partition("(")[2] and re.search(r"def \w+\((\w+)\)", code)[1])  # type: ignore[index]
    tests = f"import pytest\nimport solution\n{task.tests}\n\ndef test_refusal():\n"
    tests += f"    with pytest.raises(solution.RefusedInputError):\n        {task.entry_point}(5)\n"
    return replace(task, tests=tests, reference=code)


def nothing(task: Task, chance: random.Random) -> Task:
    return replace(task, tests="")


def helpers_alone(task: Task, chance: random.Random) -> Task:
    return replace(task, tests=task.tests.replace("def test_", "def check_"))


def under_main(task: Task, chance: random.Random) -> Task:
    head, _, rest = task.tests.partition("\n\n\n")
    return replace(task, tests=f"{head}\n\n\nif __name__ == '__main__':\n{textwrap.indent(rest, '    ')}")


def odd_class(task: Task, chance: random.Random) -> Task:
    tests = f"from solution import {task.entry_point}\n\n\nclass Checks:\n    def test_one(self):\n"
    return replace(task, tests=f"{tests}        assert {task.entry_point}\n")


def all_skipped(task: Task, chance: random.Random) -> Task:
    tests = task.tests.replace("def test_", "@pytest.mark.skip(reason='later')\ndef test_")
    return replace(task, tests=f"import pytest\n{tests}")


def one_test(task: Task, chance: random.Random) -> Task:
    parts = task.tests.split("\n\ndef ")
    return replace(task, tests="\n\ndef ".join(parts[:2]))


def one_test_of_many_assertions(task: Task, chance: random.Random) -> Task:
    lines = "".join(f"    assert {call} {sign} {value}\n" for call, sign, value in _ASSERTION.findall(task.tests))
    return replace(task, tests=f"{task.tests.partition(chr(10) * 3)[0]}\n\n\ndef test_everything():\n{lines}")


def one_method(task: Task, chance: random.Random) -> Task:
    call, _, value = _ASSERTION.findall(task.tests)[0]
    head = f"import unittest\nfrom solution import {task.entry_point}\n\n\nclass TestIt(unittest.TestCase):\n"
    return replace(task, tests=f"{head}    def test_it(self):\n        self.assertEqual({call}, {value})\n")


def all_but_one_skipped(task: Task, chance: random.Random) -> Task:
    first, *others = task.tests.split("\n\ndef test_")
    rest = [f"\n\n@pytest.mark.skip\ndef test_{other}" for other in others[1:]]
    return replace(task, tests=f"import pytest\n{first}\n\ndef test_{others[0]}{''.join(rest)}")


def as_it_is(task: Task, chance: random.Random) -> Task:
    return task


def laid_out_otherwise(task: Task, chance: random.Random) -> Task:
    return replace(
        task, prompt=task.prompt.replace("\n\n", "\n\n\n") + "\n", tests=task.tests.replace("\n\n\n", "\n\n")
    )


def commented(task: Task, chance: random.Random) -> Task:
    return replace(
        task, tests="# Tests of the release.\n" + task.tests.replace("    assert", "    # checked by hand\n    assert")
    )


def other_reference(task: Task, chance: random.Random) -> Task:
    return replace(_long(task), timeout_s=3.0)


def other_quotes(task: Task, chance: random.Random) -> Task:
    return replace(task, tests=re.sub(r"'([^'\"\\\n]*)'", r'"\1"', task.tests))


def other_case(task: Task, chance: random.Random) -> Task:
    return replace(task, prompt=task.prompt.replace("Given `", "given `").replace("Write a", "write a"))


def renamed(task: Task, chance: random.Random) -> Task:
    def other(text: str) -> str:
        return re.sub(rf"\b{task.entry_point}\b", f"{task.entry_point}_again", text)

    more = replace(task, prompt=other(task.prompt), tests=other(task.tests), reference=other(task.reference or ""))
    return replace(more, entry_point=f"{task.entry_point}_again")


def one_more_sentence(task: Task, chance: random.Random) -> Task:
    return replace(task, prompt=task.prompt.replace(".", ". Mind the order.", 1))


def one_test_less(task: Task, chance: random.Random) -> Task:
    return replace(task, tests=task.tests[: task.tests.rindex("\n\ndef ")])


def one_other_value(task: Task, chance: random.Random) -> Task:
    call, sign, value = _ASSERTION.findall(task.tests)[-1]
    return replace(task, tests=task.tests.replace(f"assert {call} {sign} {value}", f"assert {value} {sign} {call}"))


def without_solution(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=None)


FAULTS = {
    "needs_network": (
        *(urlopen_in_the_reference, request_by_module, requests_package, connection, bare_socket, http_client),
        *(download_in_the_tests, curl, name_lookup, asynchronous),
    ),
    "missing_package": (
        *(absent_at_the_top, absent_in_the_function, absent_in_the_tests, absent_by_name, not_for_candidates),
    ),
    "gold_in_instruction": (
        *(solution_in_a_fence, solution_as_a_body, solution_with_other_names, solution_quoted, solution_in_comments),
        *(tests_pasted, assertions_listed, table_of_values, values_alone),
    ),
    "unnamed_api": (nameless_prompt, hidden_helper, hidden_constant, hidden_method, hidden_keyword, hidden_error),
    "no_tests": (nothing, helpers_alone, under_main, odd_class, all_skipped),
    "few_tests": (one_test, one_test_of_many_assertions, one_method, all_but_one_skipped),
    "duplicate": (as_it_is, laid_out_otherwise, commented, other_reference, other_quotes, other_case),
    "near_duplicate": (renamed, one_more_sentence, one_test_less, one_other_value),
    "no_reference": (without_solution,),
}
