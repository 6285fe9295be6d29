"""Faults that show only when a task is run."""

import random
import re
from dataclasses import replace

from ablation.tasks.task import Task


def _with_return(task: Task, expression: str, before: str = "") -> str:
    """The reference with another last line; RESULT stands for what it returned."""
    assert task.reference is not None
    head, _, last = task.reference.rpartition("    return ")
    return f"{before}{head}    return {expression.replace('RESULT', f'({last.strip()})')}\n"


def _tests(task: Task, source: str) -> Task:
    """With other tests; F stands for the function."""
    return replace(task, tests=re.sub(r"\bF\b", task.entry_point, source))


def _other(task: Task, parameters: str, body: str, says: str) -> Task:
    """With another function of the same name."""
    code = f"def {task.entry_point}({parameters}):\n    {body}\n"
    return replace(task, reference=code, prompt=f"Write `{task.entry_point}({parameters})`: {says}.\n")


def returns_nothing(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "None and RESULT"))


def raises(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "RESULT / missing_name"))


def does_not_parse(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "RESULT)"))


def called_otherwise(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=(task.reference or "").replace(f"def {task.entry_point}", "def main", 1))


def one_test_expects_otherwise(task: Task, chance: random.Random) -> Task:
    at = task.tests.rindex("    assert ")
    return replace(task, tests=f"{task.tests[:at]}    assert not ({task.tests[at:].strip().removeprefix('assert ')})\n")


def fails_at_import(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=f"SCALE = 1 / 0\n\n\n{task.reference}")


def never_ends(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "[0 for _ in iter(int, 1)]"), timeout_s=0.5)


def wrong_with_a_stateful_test_file(task: Task, chance: random.Random) -> Task:
    head, _, rest = task.tests.partition("\n\n\n")
    wrong = replace(task, reference=_with_return(task, "'never'"))
    return replace(wrong, tests=f"import itertools\n{head}\n\nnumbers = itertools.count()\n\n\n{rest}")


def empty_tests(task: Task, chance: random.Random) -> Task:
    return _tests(task, "from solution import F\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    assert True\n")


def swallowed_errors(task: Task, chance: random.Random) -> Task:
    body = "    try:\n        assert F([1]) == 3\n    except Exception:\n        pass\n"
    return _tests(task, f"from solution import F\n\n\ndef test_a():\n{body}\n\ndef test_b():\n{body}")


def only_asks_whether_it_is_there(task: Task, chance: random.Random) -> Task:
    return _tests(
        task,
        "import solution\n\n\ndef test_there():\n    assert hasattr(solution, 'F')\n\n\n"
        "def test_callable():\n    assert callable(solution.F)\n",
    )


def compared_with_itself(task: Task, chance: random.Random) -> Task:
    return _tests(
        replace(
            task,
            reference=f"def {task.entry_point}(x):\n    return [x, x]\n",
            prompt=f"Write `{task.entry_point}(x)`.\n",
        ),
        "from solution import F\n\n\ndef test_a():\n    assert F(1) == F(1)\n\n\n"
        "def test_b():\n    assert F('a') == F('a')\n",
    )


def always_true(task: Task, chance: random.Random) -> Task:
    head = "import unittest\nfrom solution import F\n\n\nclass TestF(unittest.TestCase):\n"
    return _tests(
        task,
        head + "    def test_a(self):\n        self.assertTrue(F is not None)\n\n"
        "    def test_b(self):\n        self.assertTrue('F')\n",
    )


def nothing_expected(task: Task, chance: random.Random) -> Task:
    code = f"def {task.entry_point}(x):\n    for _ in range(3):\n        str(x)\n"
    quiet = replace(
        task, reference=code, prompt=f"Write `{task.entry_point}(x)`, which handles x and returns nothing.\n"
    )
    return _tests(
        quiet,
        "from solution import F\n\n\ndef test_a():\n    assert F(1) is None\n\n\n"
        "def test_b():\n    assert not F('x')\n",
    )


def kind_alone(task: Task, chance: random.Random) -> Task:
    code = f"def {task.entry_point}(x):\n    return [v for v in x if v]\n"
    asks = "from solution import F\n\n\ndef test_a():\n    assert isinstance(F([1]), list)\n\n\n"
    asks += "def test_b():\n    assert len(F([])) == 0\n"
    return _tests(replace(task, reference=code, prompt=f"Write `{task.entry_point}(x)`: what is true of x.\n"), asks)


def half_the_time(task: Task, chance: random.Random) -> Task:
    return replace(
        task, reference=_with_return(task, "RESULT if random.random() < 0.5 else None", "import random\n\n\n")
    )


def one_time_in_ten(task: Task, chance: random.Random) -> Task:
    return replace(
        task, reference=_with_return(task, "RESULT if random.random() < 0.9 else None", "import random\n\n\n")
    )


def chance_in_the_tests(task: Task, chance: random.Random) -> Task:
    extra = "\n\ndef test_lucky():\n    assert random.choice([True, False])\n"
    return replace(task, tests=f"import random\n{task.tests}{extra}")


def system_entropy(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "RESULT if os.urandom(1)[0] < 160 else 0", "import os\n\n\n"))


def unique_ids(task: Task, chance: random.Random) -> Task:
    code = f"import uuid\n\n\ndef {task.entry_point}(x):\n    return sorted([x, uuid.uuid4().hex])[0] == x\n"
    plain = replace(task, reference=code, prompt=f"Write `{task.entry_point}(x)`.\n")
    return _tests(
        plain, "from solution import F\n\n\ndef test_a():\n    assert F('8')\n\n\ndef test_b():\n    assert F('0')\n"
    )


def order_of_a_set(task: Task, chance: random.Random) -> Task:
    a, b = chance.sample(("pear", "plum", "fig", "apple", "quince"), 2)
    code = f"def {task.entry_point}(names):\n    return list(set(names))\n"
    plain = replace(task, reference=code, prompt=f"Write `{task.entry_point}(names)`: each name once.\n")
    tests = f"from solution import F\n\n\ndef test_two():\n    assert F([{a!r}, {b!r}, {a!r}]) == [{a!r}, {b!r}]\n\n\n"
    return _tests(plain, tests + "def test_one():\n    assert F(['x', 'x']) == ['x']\n")


def order_of_a_set_in_the_tests(task: Task, chance: random.Random) -> Task:
    code = f"def {task.entry_point}(names):\n    return '-'.join(names)\n"
    plain = replace(task, reference=code, prompt=f"Write `{task.entry_point}(names)`: joined by dashes.\n")
    tests = "from solution import F\n\n\ndef test_two():\n    assert F({'north', 'south'}) == 'north-south'\n\n\n"
    return _tests(plain, tests + "def test_list():\n    assert F(['a', 'b']) == 'a-b'\n")


def parity_of_a_hash(task: Task, chance: random.Random) -> Task:
    word = chance.choice(("ledger", "cargo", "violet", "meadow"))
    return replace(task, reference=_with_return(task, f"RESULT if hash({word!r}) % 2 else None"))


def one_test_needs_another(task: Task, chance: random.Random) -> Task:
    extra = "\n\nlog = []\n\n\ndef test_write():\n    log.append(1)\n\n\ndef test_written():\n    assert log == [1]\n"
    return replace(task, tests=task.tests + extra)


def the_module_keeps_count(task: Task, chance: random.Random) -> Task:
    code = f"count = 0\n\n\ndef {task.entry_point}():\n    global count\n    count += 1\n    return count\n"
    plain = replace(task, reference=code, prompt=f"Write `{task.entry_point}()`, which counts its calls.\n")
    tests = "from solution import F\n\n\ndef test_first():\n    assert F() == 1\n\n\n"
    tests += "def test_second():\n    assert F() == 2\n"
    return _tests(plain, tests)


def class_state(task: Task, chance: random.Random) -> Task:
    call = re.search(r"assert (.+?) [=i<]", task.tests)
    assert call is not None
    tests = (
        "import unittest\nfrom solution import F\n\n\nclass TestF(unittest.TestCase):\n    made = {}\n\n"
        f"    def test_1_make(self):\n        self.made['x'] = repr({call[1]})\n        self.assertTrue(self.made)\n\n"
        f"    def test_2_look(self):\n        self.assertEqual(self.made['x'], repr({call[1]}))\n"
    )
    return _tests(task, tests)


def even_seconds(task: Task, chance: random.Random) -> Task:
    return replace(
        task,
        reference=_with_return(
            task, "RESULT if datetime.now().second % 2 else 0", "from datetime import datetime\n\n\n"
        ),
    )


def before_noon(task: Task, chance: random.Random) -> Task:
    return replace(
        task, reference=_with_return(task, "RESULT if time.localtime().tm_hour < 12 else 0", "import time\n\n\n")
    )


def on_weekdays(task: Task, chance: random.Random) -> Task:
    extra = "\n\ndef test_open_today():\n    assert date.today().weekday() < 5\n"
    return replace(task, tests=f"from datetime import date\n{task.tests}{extra}")


def this_month(task: Task, chance: random.Random) -> Task:
    extra = f"\n\ndef test_month():\n    assert datetime.datetime.now().strftime('%m') == {_month()!r}\n"
    return replace(task, tests=f"import datetime\n{task.tests}{extra}")


def _month() -> str:
    import datetime

    return datetime.datetime.now().strftime("%m")


def last_digit_of_the_clock(task: Task, chance: random.Random) -> Task:
    return replace(
        task, reference=_with_return(task, "RESULT if time.time_ns() // 1000 % 3 else 0", "import time\n\n\n")
    )


def tests_that_do_not_parse(task: Task, chance: random.Random) -> Task:
    return replace(task, tests=task.tests.replace("assert ", "assert (", 1))


def asks_for_source(task: Task, chance: random.Random) -> Task:
    extra = f"\n\ndef test_short():\n    assert len(inspect.getsource({task.entry_point})) < 5000\n"
    return replace(task, tests=f"import inspect\n{task.tests}{extra}")


def reads_the_file(task: Task, chance: random.Random) -> Task:
    extra = "\n\ndef test_no_eval():\n    assert 'eval(' not in Path('solution.py').read_text()\n"
    return replace(task, tests=f"from pathlib import Path\n{task.tests}{extra}")


def runs_the_file(task: Task, chance: random.Random) -> Task:
    extra = "\n\ndef test_runs():\n    assert subprocess.run([sys.executable, 'solution.py']).returncode == 0\n"
    return replace(task, tests=f"import subprocess\nimport sys\n{task.tests}{extra}")


def none_is_right_once(task: Task, chance: random.Random) -> Task:
    return _right_once(task, "None", "is None")


def zero_is_right_once(task: Task, chance: random.Random) -> Task:
    return _right_once(task, "0", "== 0")


def an_empty_list_is_right_once(task: Task, chance: random.Random) -> Task:
    return _right_once(task, "[]", "== []")


def the_argument_is_right_once(task: Task, chance: random.Random) -> Task:
    return _right_once(task, "'zz'", "== 'zz'")


def an_error_is_right_once(task: Task, chance: random.Random) -> Task:
    code = (task.reference or "").replace(":\n", ":\n    if PARAMETER == 'zz':\n        raise ValueError('zz')\n", 1)
    parameter = re.search(r"\((\w+)\)", code)
    assert parameter is not None
    extra = f"\n\ndef test_refusal():\n    with pytest.raises(ValueError):\n        {task.entry_point}('zz')\n"
    return replace(task, reference=code.replace("PARAMETER", parameter[1]), tests=f"import pytest\n{task.tests}{extra}")


def _right_once(task: Task, value: str, claim: str) -> Task:
    code = (task.reference or "").replace(":\n", f":\n    if PARAMETER == 'zz':\n        return {value}\n", 1)
    parameter = re.search(r"\((\w+)\)", code)
    assert parameter is not None
    extra = f"\n\ndef test_special():\n    assert {task.entry_point}('zz') {claim}\n"
    return replace(task, reference=code.replace("PARAMETER", parameter[1]), tests=task.tests + extra)


def sleeps(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "time.sleep(0.22) or RESULT", "import time\n\n\n"))


def counts_for_long(task: Task, chance: random.Random) -> Task:
    busy = "[0 for _ in iter(lambda: time.process_time() - start < 0.1, False)] and RESULT"
    code = _with_return(task, busy, "import time\n\n\n").replace(
        "    return [0", "    start = time.process_time()\n    return [0"
    )
    return replace(task, reference=code, timeout_s=1.0)


def is_near_its_limit(task: Task, chance: random.Random) -> Task:
    return replace(task, reference=_with_return(task, "time.sleep(0.04) or RESULT", "import time\n\n\n"), timeout_s=0.4)


def tests_that_wait(task: Task, chance: random.Random) -> Task:
    extra = "\n\ndef test_after_a_while():\n    time.sleep(0.35)\n    assert True is not False\n"
    return replace(task, tests=f"import time\n{task.tests}{extra}", timeout_s=0.6)


FAULTS = {
    "broken_reference": (
        *(returns_nothing, raises, does_not_parse, called_otherwise, one_test_expects_otherwise, fails_at_import),
        *(never_ends, wrong_with_a_stateful_test_file),
    ),
    "null_grader": (
        *(empty_tests, swallowed_errors, only_asks_whether_it_is_there, compared_with_itself, always_true),
        *(nothing_expected, kind_alone),
    ),
    "flaky": (
        *(half_the_time, one_time_in_ten, chance_in_the_tests, system_entropy, unique_ids, order_of_a_set),
        *(order_of_a_set_in_the_tests, parity_of_a_hash, one_test_needs_another, the_module_keeps_count, class_state),
        *(even_seconds, before_noon, on_weekdays, this_month, last_digit_of_the_clock),
    ),
    "unsupported": (tests_that_do_not_parse, asks_for_source, reads_the_file, runs_the_file),
    "stub_passes_test": (
        *(none_is_right_once, zero_is_right_once, an_empty_list_is_right_once, the_argument_is_right_once),
        *(an_error_is_right_once,),
    ),
    "slow": (sleeps, counts_for_long, is_near_its_limit, tests_that_wait),
}
