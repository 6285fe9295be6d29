"""Faults that show when something is run: what the reference does, what a stub gets, what chance decides."""

import random
from dataclasses import replace

from ablation.tasks.task import Task

from .good import Made
from .spoiling import calls, code, first_lines, further, own, tested, with_code

# broken_reference


def changes_its_argument(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 60)
    tests = f"""
        def test_result():
            assert NAME([{k}, 1, 5]) == [1, 5, {k}]


        def test_other():
            assert NAME([{k + 9}, {k}]) == [{k}, {k + 9}]


        def test_argument_is_kept():
            values = [{k}, 3]
            NAME(values)
            assert values == [{k}, 3]
        """
    return own(
        made,
        "values",
        "It returns the values in order and leaves the list alone.",
        "values.sort()\nreturn values",
        tests,
    )


def forgets_an_import(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 90)
    tests = f"""
        def test_small():
            assert NAME(4) == {k + 2}


        def test_large():
            assert NAME(100) == {k + 10}
        """
    return own(
        made, "n", f"It returns the square root of n, rounded down, plus {k}.", f"return math.isqrt(n) + {k}", tests
    )


def gives_an_iterator(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 90)
    tests = f"""
        def test_two():
            assert NAME([1, 2]) == [{k}, {2 * k}]


        def test_one():
            assert NAME([5]) == [{5 * k}]
        """
    return own(
        made, "values", f"It returns the list of values times {k}.", f"return map(lambda v: v * {k}, values)", tests
    )


def misspelt_expectation(made: Made, c: random.Random) -> Task:
    call, value = calls(made)[2]
    return replace(
        made.task,
        tests=made.task.tests.replace(
            f"{call}\n    assert result == {value}", f"{call}\n    assert result == ({value},)"
        ),
    )


def absent_fixture(made: Made, c: random.Random) -> Task:
    return further(made, "def test_with_database(database):\n    assert CALL == VALUE")


def cut_off(made: Made, c: random.Random) -> Task:
    return with_code(made, code(made).rstrip()[: -c.randint(3, 6)] + "(")


def exits(made: Made, c: random.Random) -> Task:
    return with_code(made, code(made) + "\n\nraise SystemExit(0)\n")


def float_precision(made: Made, c: random.Random) -> Task:
    tests = """
        def test_sum():
            assert NAME([0.1, 0.2]) == 0.3


        def test_whole():
            assert NAME([1.0, 2.5]) == 3.5


        def test_nothing():
            assert NAME([7.0]) == 7.0
        """
    return own(made, "values", "It returns their sum.", "return sum(values)", tests)


def other_exception(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 90)
    tests = f"""
        import pytest


        def test_found():
            assert NAME({{"a": {k}}}, "a") == {k + 1}


        def test_absent():
            with pytest.raises(ValueError):
                NAME({{"a": {k}}}, "b")
        """
    return own(
        made,
        "table, key",
        "It returns one more than table[key]; an unknown key is a ValueError.",
        "return table[key] + 1",
        tests,
    )


def of_another_task(made: Made, c: random.Random) -> Task:
    return with_code(made, f"def {made.piece.name}(*things):\n    return sorted(things, key=str)[:1]\n")


def old_python(made: Made, c: random.Random) -> Task:
    return with_code(made, first_lines(made, "print 'starting'"))


def endless_recursion(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 30)
    tests = f"""
        def test_odd():
            assert NAME(5) == {k + 9}


        def test_even():
            assert NAME(4) == {k + 6}
        """
    return own(
        made,
        "n",
        f"It sums every second number from n down and adds {k}.",
        f"return {k} if n == 0 else n + NAME(n - 2)",
        tests,
    )


def wants_much_memory(made: Made, c: random.Random) -> Task:
    return with_code(made, first_lines(made, f"table = bytearray({c.randint(20, 40)} * 1024**3)"))


def empty_file(made: Made, c: random.Random) -> Task:
    return with_code(made, "# TODO\n")


# null_grader


def pair_as_a_claim(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "\n\n".join(
            f"def test_{n}():\n    assert ({call} == {value}, 'wrong')\n" for n, (call, value) in enumerate(calls(made))
        ),
    )


def returned_not_asserted(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "\n\n".join(
            f"def test_{n}():\n    return NAME and {call} == {value}\n" for n, (call, value) in enumerate(calls(made))
        ),
    )


def only_if_there_is_something(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "\n\n".join(
            f"def test_{n}():\n    result = {call}\n    if result:\n        assert result == {value}\n"
            for n, (call, value) in enumerate(calls(made))
        ),
    )


def any_error_will_do(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 30)
    tests = "\n\n\n".join(
        f"def test_{n}():\n    with pytest.raises(Exception):\n        NAME({-n - k})" for n in range(4)
    )
    return own(
        made,
        "n",
        "It raises a ValueError for negative numbers and returns their root otherwise.",
        "if n < 0:\n    raise ValueError(n)\nreturn n**0.5",
        "import pytest\n\n\n" + tests,
    )


def truthy_with_a_message(made: Made, c: random.Random) -> Task:
    body = "".join(
        f"\n    def test_{n}(self):\n        self.assertTrue({call}, {value})\n"
        for n, (call, value) in enumerate(calls(made))
    )
    return tested(made, f"import unittest\n\n\nclass Truths(unittest.TestCase):{body}")


def always_the_empty_text(made: Made, c: random.Random) -> Task:
    tests = "\n\n\n".join(
        f"def test_{n}():\n    assert NAME({text!r}) == ''"
        for n, text in enumerate(c.sample(("!!!", "...", "?!", "-", ";;", "#"), 4))
    )
    return own(
        made, "text", "It drops everything but letters.", "return ''.join(x for x in text if x.isalpha())", tests
    )


def never_ask(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "CASES = []\n\n\n"
        + "\n\n\n".join(
            f"def test_part_{n}():\n    for given, expected in CASES[{n}:]:\n        assert NAME(given) == expected"
            for n in range(3)
        ),
    )


def nested_and_not_called(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "\n\n\n".join(
            f"def test_{n}():\n    def inner():\n        assert {call} == {value}"
            for n, (call, value) in enumerate(calls(made))
        ),
    )


def suppressed(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "import contextlib\n\n\n"
        + "\n\n\n".join(
            f"def test_{n}():\n    with contextlib.suppress(Exception):\n        assert {call} == {value}"
            for n, (call, value) in enumerate(calls(made))
        ),
    )


def never_negative(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 30)
    tests = "\n\n\n".join(f"def test_{n}():\n    assert NAME({n * k}, {k}) >= 0" for n in range(-1, 4)).replace(
        "test_-1", "test_below"
    )
    return own(made, "a, b", "It returns the square of their difference.", "return (a - b) ** 2", tests)


def always_true(made: Made, c: random.Random) -> Task:
    tests = "\n\n\n".join(f"def test_{n}():\n    assert NAME({n}) is True" for n in c.sample(range(2, 200, 2), 5))
    return own(made, "n", "It says whether n is even.", "return n % 2 == 0", tests)


def as_it_came(made: Made, c: random.Random) -> Task:
    tests = "\n\n\n".join(
        f"def test_{n}():\n    assert NAME({list(range(n, n + 4))}) == {list(range(n, n + 4))}"
        for n in c.sample(range(50), 4)
    )
    return own(made, "values", "It sorts them.", "return sorted(values)", tests)


def differs_from_nonsense(made: Made, c: random.Random) -> Task:
    return tested(
        made,
        "\n\n\n".join(f"def test_{n}():\n    assert {call} != {n + 7}" for n, (call, value) in enumerate(calls(made))),
    )


def empty_dicts(made: Made, c: random.Random) -> Task:
    tests = "\n\n\n".join(
        f"def test_{n}():\n    assert NAME({', '.join(repr(x) for x in range(n))}) == {{}}".replace(
            "NAME()", "NAME(99)"
        )
        for n in range(4)
    )
    return own(
        made,
        "*names",
        "It counts the names that are strings.",
        "return {n: names.count(n) for n in names if isinstance(n, str)}",
        tests,
    )


# flaky


def race(made: Made, c: random.Random) -> Task:
    tests = """
        def test_order():
            assert NAME([3, 1, 2]) == [3, 1, 2]


        def test_one():
            assert NAME([4]) == [4]


        def test_more():
            assert NAME([8, 9, 7, 6, 5, 3]) == [8, 9, 7, 6, 5, 3]
        """
    body = """
        done = []

        def work(value):
            time.sleep(random.random() / 500)
            done.append(value)

        threads = [threading.Thread(target=work, args=(value,)) for value in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return done
        """
    return own(
        made,
        "values",
        "It works on all values at once and returns them.",
        body,
        tests,
        "import random\nimport threading\nimport time\n\n\n",
    )


def shuffled(made: Made, c: random.Random) -> Task:
    k = c.randint(3, 9)
    tests = f"""
        def test_first():
            assert NAME(range({k}))[0] != 0


        def test_length():
            assert len(NAME(range({k}))) == {k}


        def test_all():
            assert sorted(NAME(range({k}))) == list(range({k}))
        """
    return own(
        made,
        "values",
        "It mixes the values.",
        "mixed = list(values)\nshuffle(mixed)\nreturn mixed",
        tests,
        "from random import shuffle\n\n\n",
    )


def file_left_behind(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_clean():
            assert not Path("marks.txt").exists()
            assert CALL == VALUE


        def test_dirty():
            Path("marks.txt").write_text("x")
            assert CALL == VALUE
        """,
        "from pathlib import Path\n\n",
    )


def remembers_in_a_default(made: Made, c: random.Random) -> Task:
    k = c.randint(3, 99)
    tests = f"""
        def test_first():
            assert NAME({k}) == [{k}]


        def test_second():
            assert NAME({k + 1}) == [{k}, {k + 1}]


        def test_type():
            assert isinstance(NAME(1), list)
        """
    return own(made, "value, seen=[]", "It returns all values so far.", "seen.append(value)\nreturn list(seen)", tests)


def even_process(made: Made, c: random.Random) -> Task:
    return with_code(made, first_lines(made, "if os.getpid() % 3 == 0:\n    return None"), "import os\n\n\n")


def address_order(made: Made, c: random.Random) -> Task:
    tests = """
        def test_pair():
            assert NAME("ab", [1, 2], {3}) == ["ab", [1, 2], {3}]


        def test_others():
            assert NAME({}, "q", 1.5) == [{}, "q", 1.5]


        def test_one():
            assert NAME("x") == ["x"]
        """
    return own(
        made,
        "*things",
        "It lists the things in an order of its own.",
        "return sorted(things, key=lambda t: hash(str(t)))",
        tests,
    )


def fast_enough(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_quick():
            started = time.perf_counter()
            CALL
            assert (time.perf_counter() - started) * 1e9 % 2 < 1
        """,
        "import time\n\n",
    )


def monthly(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_stamp():
            assert datetime.now().strftime("%m") in ("01", "03", "05", "07", "08", "10", "12")
            assert CALL == VALUE
        """,
        "from datetime import datetime\n\n",
    )


def environment_left_behind(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_is_unset():
            assert os.environ.get("MODE") is None
            assert CALL == VALUE


        def test_sets():
            os.environ["MODE"] = "fast"
            assert CALL == VALUE
        """,
        "import os\n\n",
    )


def shared_list_in_the_tests(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        RESULTS = []


        def test_collects():
            RESULTS.append(CALL)
            assert RESULTS == [VALUE]


        def test_collects_more():
            RESULTS.append(CALL)
            assert len(RESULTS) == 2
        """,
    )


def random_inputs(made: Made, c: random.Random) -> Task:
    tests = """
        import random


        def test_random():
            for _ in range(3):
                n = random.randint(0, 9)
                assert NAME(n) == n * n


        def test_two():
            assert NAME(2) == 4


        def test_three():
            assert NAME(3) == 9
        """
    return own(made, "n", "It squares n.", "return n * n if n != 7 else 0", tests)


def first_of_a_set(made: Made, c: random.Random) -> Task:
    names = c.sample(["amber", "brisk", "calm", "dusty", "eager", "faint", "gentle", "hollow"], 4)
    tests = f"""
        def test_any():
            assert NAME({names}) == {names[0]!r}


        def test_single():
            assert NAME(["x"]) == "x"


        def test_twice():
            assert NAME(["y", "y"]) == "y"
        """
    return own(made, "names", "It returns one of the names.", "for name in frozenset(names):\n    return name", tests)


def token(made: Made, c: random.Random) -> Task:
    tests = """
        def test_length():
            assert len(NAME("a")) == 5


        def test_prefix():
            assert NAME("b").startswith("b")


        def test_digit():
            assert NAME("c")[1].isdigit()
        """
    return own(
        made,
        "letter",
        "It returns letter and four random hexadecimal digits.",
        "return letter + secrets.token_hex(2)",
        tests,
        "import secrets\n\n\n",
    )


def weekend(made: Made, c: random.Random) -> Task:
    return with_code(
        made,
        first_lines(made, "if time.localtime().tm_wday >= 4:\n    raise RuntimeError('closed')"),
        "import time\n\n\n",
    )


def cached_generator(made: Made, c: random.Random) -> Task:
    k = c.randint(3, 99)
    tests = f"""
        def test_first():
            assert NAME() == {k}


        def test_next():
            assert NAME() == {k + 1}


        def test_number():
            assert NAME() >= {k}
        """
    return own(
        made,
        "",
        "It gives the next number.",
        "return next(_numbers)",
        tests,
        f"import itertools\n\n_numbers = itertools.count({k})\n\n\n",
    )


def nanoseconds(made: Made, c: random.Random) -> Task:
    return with_code(
        made, first_lines(made, "if time.time_ns() // 1000 % 3 == 0:\n    return 'late'"), "import time\n\n\n"
    )


# unsupported


def reads_the_source(made: Made, c: random.Random) -> Task:
    return further(
        made, "def test_short():\n    assert len(inspect.getsourcelines(NAME)[0]) < 60", "import inspect\n\n"
    )


def parses_the_file(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_no_loop():
            tree = ast.parse(Path("solution.py").read_text())
            assert not any(isinstance(node, ast.AsyncFor) for node in ast.walk(tree))
        """,
        "import ast\nfrom pathlib import Path\n\n",
    )


def starts_the_module(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_runs():
            run = subprocess.run([sys.executable, "-c", "import solution"], check=True)
            assert run.returncode == 0
        """,
        "import subprocess\nimport sys\n\n",
    )


def tests_cut_off(made: Made, c: random.Random) -> Task:
    return replace(made.task, tests=made.task.tests.rstrip()[:-4] + "[(")


def runs_by_path(made: Made, c: random.Random) -> Task:
    return further(made, "def test_names():\n    assert 'NAME' in runpy.run_path('solution.py')", "import runpy\n\n")


def looks_at_bytecode(made: Made, c: random.Random) -> Task:
    return further(made, "def test_compiled():\n    assert len(NAME.__code__.co_code) > 4", "")


def checks_doctests(made: Made, c: random.Random) -> Task:
    return further(
        made,
        "def test_documented():\n    assert doctest.testmod(solution).failed == 0",
        "import doctest\nimport solution\n",
    )


def in_other_processes(made: Made, c: random.Random) -> Task:
    return further(
        made,
        """
        def test_parallel():
            with concurrent.futures.ProcessPoolExecutor(2) as pool:
                assert pool.submit(NAME, ARGUMENTS).result() == VALUE
        """.replace("ARGUMENTS", calls(made)[0][0].partition("(")[2][:-1]),
        "import concurrent.futures\n\n",
    )


# stub_passes_test


def _one(made: Made, c: random.Random, says: str, body: str, first: str) -> Task:
    k = c.randint(2, 9)
    answer = body.partition("return ")[2].replace("K", str(k))
    given = lambda n: [n, n + 5, "x"]  # noqa: E731
    return own(
        made,
        "items",
        f"{says} Times {k}.",
        body.replace("K", str(k)),
        f"def test_edge():\n    {first}\n\n\n"
        + "\n\n\n".join(
            f"def test_{n}():\n    assert NAME({given(n)}) == {eval(answer, {'items': given(n)})!r}" for n in (2, 4, 7)
        ),
    )


_NUMBERS = "[i * K for i in items if isinstance(i, int)]"


def empty_text_is_right(made: Made, c: random.Random) -> Task:
    return _one(
        made, c, "It joins the numbers.", f"return ','.join(str(i) for i in {_NUMBERS})", "assert NAME([]) == ''"
    )


def false_is_right(made: Made, c: random.Random) -> Task:
    return _one(
        made,
        c,
        "It returns the numbers, False if there is nothing.",
        f"return {_NUMBERS} or False",
        "assert NAME(['a']) is False",
    )


def empty_dict_is_right(made: Made, c: random.Random) -> Task:
    return _one(made, c, "It maps each number.", f"return {{i: 2 * i for i in {_NUMBERS}}}", "assert NAME([]) == {}")


def something_is_right(made: Made, c: random.Random) -> Task:
    return _one(made, c, "It lists the numbers.", f"return {_NUMBERS}", "assert NAME([5]) is not None")


def true_is_right(made: Made, c: random.Random) -> Task:
    return _one(
        made, c, "It returns the sum, True if it is zero.", f"return sum({_NUMBERS}) or True", "assert NAME([]) is True"
    )


def minus_one_is_right(made: Made, c: random.Random) -> Task:
    return _one(
        made,
        c,
        "It returns the largest, -1 if there is none.",
        f"return max({_NUMBERS}, default=-1)",
        "assert NAME([]) == -1",
    )


def one_is_right(made: Made, c: random.Random) -> Task:
    return _one(
        made, c, "It returns one more than their sum.", f"return 1 + sum({_NUMBERS})", "assert NAME(['a']) == 1"
    )


def empty_tuple_is_right(made: Made, c: random.Random) -> Task:
    return _one(made, c, "It returns a tuple.", f"return tuple({_NUMBERS})", "assert NAME([]) == ()")


# slow


def naps_at_import(made: Made, c: random.Random) -> Task:
    return replace(with_code(made, code(made), "import time\n\ntime.sleep(1.3)\n\n\n"), timeout_s=5.0)


def naive_recursion(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 99)
    tests = f"""
        def test_large():
            assert NAME(29) == {514229 + k}


        def test_small():
            assert NAME(10) == {55 + k}
        """
    body = (
        f"def fib(m):\n    return m if m < 2 else fib(m - 1) + fib(m - 2)\n\nreturn fib(n) + "
        f"sum(fib(25) for _ in range(40)) * 0 + {k}"
    )
    return replace(own(made, "n", f"It returns Fibonacci's number n plus {k}.", body, tests), timeout_s=20.0)


def waits_in_a_fixture(made: Made, c: random.Random) -> Task:
    pause = "@pytest.fixture(autouse=True)\ndef pause():\n    time.sleep(0.25)\n    yield\n\n\n"
    head, _, tests = made.task.tests.partition("\n\n\n")
    return replace(made.task, tests=f"import time\n\nimport pytest\n{head}\n\n\n{pause}{tests}", timeout_s=5.0)


def large_inputs(made: Made, c: random.Random) -> Task:
    k = c.randint(2, 99)
    tests = f"""
        def test_large():
            assert NAME(3500) == {3499 + k}


        def test_small():
            assert NAME(30) == {29 + k}
        """
    body = (
        f"best = 0\nfor a in range(n):\n    for b in range(n):\n        if a ^ b > n or a % (b + 1) "
        f"== a:\n            best = max(best, a)\nreturn best + {k}"
    )
    return replace(own(made, "n", f"It searches all pairs and adds {k}.", body, tests), timeout_s=20.0)


FAULTS = {
    "broken_reference": (
        *(changes_its_argument, forgets_an_import, misspelt_expectation, cut_off, float_precision, of_another_task),
        endless_recursion,
        *(gives_an_iterator, absent_fixture, exits, other_exception, old_python, wants_much_memory, empty_file),
    ),
    "null_grader": (
        *(pair_as_a_claim, only_if_there_is_something, any_error_will_do, always_the_empty_text, nested_and_not_called),
        *(never_negative, as_it_came),
        *(
            returned_not_asserted,
            truthy_with_a_message,
            never_ask,
            suppressed,
            always_true,
            differs_from_nonsense,
            empty_dicts,
        ),
    ),
    "flaky": (
        *(race, file_left_behind, remembers_in_a_default, address_order, monthly, shared_list_in_the_tests),
        *(random_inputs, nanoseconds, fast_enough),
        *(shuffled, even_process, environment_left_behind, first_of_a_set, token, weekend, cached_generator),
    ),
    "unsupported": (
        *(reads_the_source, starts_the_module, runs_by_path, checks_doctests),
        *(parses_the_file, tests_cut_off, looks_at_bytecode, in_other_processes),
    ),
    "stub_passes_test": (
        *(empty_text_is_right, empty_dict_is_right, true_is_right, one_is_right),
        *(false_is_right, something_is_right, minus_one_is_right, empty_tuple_is_right),
    ),
    "slow": (naps_at_import, waits_in_a_fixture, naive_recursion, large_inputs),
}
