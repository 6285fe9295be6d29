import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from audit_task import PROMPT, REFERENCE, TESTS, clamp

from ablation.scoring.environment import World
from ablation.scoring.examination import Examination, Series
from ablation.scoring.pool import ScoringPool
from ablation.scoring.script import namespace
from ablation.tasks.audit.audit import Looks, Pools, audits, look_at_all
from ablation.tasks.audit.findings import REJECTING, Audit
from ablation.tasks.audit.stubs import fenced, stubs
from ablation.tasks.audit.worlds import BASE, is_sensitive, runs_in, worlds
from ablation.tasks.task import Task
from benchmarks.audit_set.good import good_task
from benchmarks.audit_set.problems import KINDS
from benchmarks.audit_set.words import Words

pytestmark = pytest.mark.xdist_group("audit")  # one worker: the fixtures are made once
RIGHT = "return max(low, min(high, value))"
SELDOM = f"import random\ndef clamp(value, low, high):\n    {RIGHT} if random.random() < {{}} else 0\n"
PLANTED = {
    "broken_reference": clamp(reference=REFERENCE.replace("max", "min")),
    "null_grader": clamp(tests="import solution\ndef test_a():\n    pass\ndef test_b():\n    assert 1\n"),
    "flaky": clamp(reference=SELDOM.format(0.5)),
    "needs_network": clamp(
        reference=f"from urllib.request import urlopen\n{REFERENCE}\ndef fetch():\n    return urlopen('http://x.test')\n"
    ),
    "missing_package": clamp(reference=f"import surely_absent_package\n{REFERENCE}"),
    "gold_in_instruction": clamp(prompt=f"{PROMPT}    # for instance\n    return max(low, min(high, value))\n"),
    "unnamed_api": clamp(
        tests=f"{TESTS}\ndef test_none():\n    from solution import helper\n    assert helper() == 1\n"
    ),
    "no_tests": clamp(tests="from solution import clamp\n"),
    "few_tests": clamp(tests="from solution import clamp\ndef test_one():\n    assert clamp(5, 2, 9) == 5\n"),
    "unsupported": clamp(tests="def test_a(:\n    pass\n"),
    "stub_passes_test": clamp(tests=f"{TESTS}\ndef test_zero():\n    assert clamp(-1, 0, 3) == 0\n"),
    "slow": clamp(
        reference=f"import time\ndef clamp(value, low, high):\n    time.sleep(0.2)\n    {RIGHT}\n",
        timeout_s=1.1,
    ),
    "no_reference": clamp(reference=None),
}


@pytest.fixture(scope="module")
def pools() -> Iterator[Pools]:
    """Pools of one worker, each started once for all tests."""
    with contextlib.ExitStack() as stack:
        known: dict[World, ScoringPool] = {}

        def pools(world: World) -> contextlib.AbstractContextManager[ScoringPool]:
            if world not in known:
                known[world] = stack.enter_context(ScoringPool(1, world=world))
            return contextlib.nullcontext(known[world])

        yield pools


def audited(tasks: list[Task], pools: Pools, repeats: int = 3) -> dict[str, Audit]:
    looks: Looks = {}
    for _ in look_at_all(tasks, looks, pools, repeats):
        pass
    return {audit.task_id: audit for audit in audits(tasks, looks)}


def audit(task: Task, pools: Pools, repeats: int = 3) -> Audit:
    return audited([task], pools, repeats)[task.task_id]


def kinds(found: Audit) -> set[str]:
    return {finding.kind for finding in found.findings}


@pytest.fixture(scope="module")
def planted(pools: Pools) -> dict[str, Audit]:
    tasks = [
        replace(task, task_id=kind, prompt=f"{task.prompt}    # {kind}'s\n{kind}\n") for kind, task in PLANTED.items()
    ]
    return audited(tasks, pools)


def test_a_good_task_is_accepted_with_no_finding_but_what_its_own_input_answers(pools):
    found = audit(clamp(), pools)
    assert found.accepted
    # `return value` is right where the value lies inside.
    assert [tuple(finding) for finding in found.findings] == [
        ("stub_passes_test", "returning the argument passes 1 of 3 tests")
    ]


@pytest.mark.parametrize("kind", PLANTED)
def test_each_planted_fault_is_found_and_rejects_as_its_kind_says(planted, kind):
    found = planted[kind]
    assert kind in kinds(found), found
    assert found.accepted == (kind not in REJECTING)
    assert all(finding.detail for finding in found.findings)


@pytest.mark.parametrize("kind", ["no_tests", "missing_package"])
def test_what_cannot_run_for_a_known_cause_is_not_called_broken_too(planted, kind):
    assert not {"broken_reference", "unsupported"} & kinds(planted[kind])


def test_a_broken_reference_is_shown_by_the_tests_that_it_fails(pools):
    broken = clamp(reference=REFERENCE.replace("max(low, min(high, value))", "min(high, value)"))
    (finding,) = [f for f in audit(broken, pools).findings if f.kind == "broken_reference"]
    assert finding.detail == "0 of 3 runs solve: test_below failed"


@pytest.mark.parametrize("stateful", [False, True])
def test_a_reference_that_plain_pytest_fails_too_is_broken_and_one_that_it_passes_is_unsupported(pools, stateful):
    state = "import itertools\nnumbers = itertools.count()\n" if stateful else ""
    source = f"import inspect\n{state}{TESTS}\n\ndef test_short():\n    assert len(inspect.getsource(clamp)) < 500\n"
    if namespace.fault() is None:
        assert kinds(audit(clamp(tests=source), pools)) == {"unsupported"}
    broken = clamp(tests=f"{state}{TESTS}", reference=REFERENCE.replace("max", "min"))
    assert "broken_reference" in kinds(audit(broken, pools))


FLAKY = {
    "seldom": (SELDOM.format(0.9), TESTS),
    "the order of a set": (
        "def clamp(*values):\n    return list({str(v) for v in values})\n",
        "from solution import clamp\ndef test_a():\n    assert clamp(1, 2, 3)[0] == '1'\n"
        "def test_b():\n    assert clamp() == []\n",
    ),
    "the order of a set in the tests": (
        "def clamp(values):\n    return ''.join(values)\n",
        "from solution import clamp\ndef test_a():\n    assert clamp({'a', 'b'}) == 'ab'\n"
        "def test_b():\n    assert clamp('') == ''\n",
    ),
    "the order of tests": (
        REFERENCE,
        f"{TESTS}\nseen = []\ndef test_x():\n    seen.append(1)\ndef test_y():\n    assert seen\n",
    ),
    "what the candidate's module keeps": (
        f"calls = []\ndef clamp(value, low, high):\n    calls.append(1)\n    {RIGHT} if len(calls) < 4 else False\n",
        f"{TESTS}\ndef test_more():\n    assert clamp(1, 2, 3) is False\n",
    ),
    "the hour": (
        f"from datetime import datetime as d\n{SELDOM.format(1).replace('random.random()', 'd.now().hour/12')}",
        TESTS,
    ),
    "the day": (
        REFERENCE,
        f"from datetime import date\n{TESTS}\ndef test_x():\n    assert date.today().weekday() < 5\n",
    ),
}


def test_what_hangs_on_chance_hashes_order_or_the_clock_is_flaky_and_not_broken(pools):
    tasks = [clamp(task_id=why, reference=reference, tests=tests) for why, (reference, tests) in FLAKY.items()]
    found = {why: kinds(audit) for why, audit in audited(tasks, pools, repeats=10).items()}
    assert {why for why in FLAKY if "flaky" in found[why]} == set(FLAKY)
    assert not [why for why in FLAKY if "broken_reference" in found[why]]


def test_a_module_that_keeps_state_and_dates_is_not_flaky_for_being_run_again(pools):
    reference = f"from datetime import date\nknown = {{}}\n{REFERENCE}\ndef once(key):\n    assert key not in known\n"
    reference += "    known[key] = date.today()\n    return known[key]\n"
    tests = f"from datetime import date\nfrom solution import once\nTODAY = date.today()\n{TESTS}\n\n"
    tests += "def test_once():\n    assert once('a') == TODAY == date.today()\n"
    assert "flaky" not in kinds(
        audit(clamp(reference=reference, tests=tests, prompt=f"{PROMPT}once"), pools, repeats=10)
    )


def test_stubs_of_a_class_have_its_methods_and_answer_none_of_them(pools):
    reference = (
        "from decimal import Decimal\n"
        "class Counter:\n    limit: int = 3\n    def __init__(self, start: int = 0):\n        self.count = start\n"
        "    def add(self, n: Decimal):\n        self.count += n\n        return self.count\n"
        "    @staticmethod\n    def names(prefix):\n        return [prefix + 'a']\n"
    )
    tests = (
        "from solution import Counter\ndef test_add():\n    assert Counter(2).add(3) == 5\n"
        "def test_same():\n    assert Counter(0).add(4) == 4\n"
        "def test_names():\n    assert Counter.names('x') == ['xa']\n"
    )
    task = Task("counter", "class Counter: with add and names\n", "Counter", tests, reference)
    found = audit(task, pools)
    # The argument comes back from `add`, which only a stub that can be constructed and called shows.
    assert [tuple(f) for f in found.findings] == [
        ("stub_passes_test", "returning the argument passes 1 of 3 tests"),
    ]


def test_a_stub_has_every_name_that_the_tests_import(pools):
    reference = "LIMIT = 3\ndef helper(x):\n    return None\ndef clamp(x):\n    return helper(LIMIT)\n"
    tests = (
        "from solution import LIMIT, clamp, helper\ndef test_a():\n    assert clamp(1) is None\n"
        "def test_b():\n    assert helper(1) is None\n"
    )
    task = Task("names", "clamp, helper, LIMIT\n", "clamp", tests, reference)
    assert "null_grader" in kinds(audit(task, pools))
    assert all("LIMIT = None" in stub.source for stub in stubs(task)[1:])


def test_a_fence_is_longer_than_any_that_the_source_holds():
    assert fenced('"""```"""\n').startswith("````python\n")


def test_a_stub_earns_beside_the_tests_what_it_earns_in_a_process_of_its_own(pools):
    tasks = [good_task(random.Random(kind.__name__), Words(random.Random(0)), kind.__name__, (kind,)) for kind in KINDS]
    reference = "class Pair:\n    def __init__(self, a):\n        self.a = a\n    def __eq__(self, other):\n"
    reference += "        return isinstance(other, Pair) and self.a == other.a\n"
    tests = "from solution import Pair\ndef test_a():\n    assert Pair(3) == Pair(3)\n"
    tests += "def test_b():\n    assert Pair(4) != 4\ndef test_c():\n    assert Pair(4) not in [1, 'a']\n"
    for task in [*tasks, Task("pair", "class Pair\n", "Pair", tests, reference)]:
        tried = stubs(task)[1:]  # an empty fence is no module
        series = [Series(stub.source, ours=True) for stub in tried] + [Series(fenced(stub.source)) for stub in tried]
        with pools(World()) as pool:
            ((_, verdicts),) = pool.examine([Examination(task, tuple(series))])
        here, there = verdicts[: len(tried)], verdicts[len(tried) :]
        assert [dict(verdict.tests) for verdict in here] == [dict(verdict.tests) for verdict in there], task


def test_audits_come_in_task_order_whatever_had_to_be_looked_at_again(pools):
    tasks = [clamp(task_id="b", reference=REFERENCE.replace("max", "min")), clamp(task_id="a"), clamp(task_id="c")]
    looks: Looks = {}
    steps = [(task.task_id, look.world) for task, look in look_at_all(tasks, looks, pools, 2)]
    found = audits(tasks, looks)
    assert [(one.task_id, one.accepted) for one in found] == [("b", False), ("a", True), ("c", False)]
    assert [f.kind for f in found[2].findings if f.kind in REJECTING] == ["duplicate"]
    assert sorted(steps)[:4] == [("a", 0), ("a", 1), ("b", -1), ("b", 0)][:4] or namespace.fault()


def test_looks_that_are_there_are_not_taken_again(pools):
    looks: Looks = {}
    first = list(look_at_all([clamp()], looks, pools, 3))
    del looks["clamp"][1]
    again = list(look_at_all([clamp()], looks, pools, 3))
    assert [look.world for _, look in first] == [0, 1, 2]
    assert [look.world for _, look in again] == [1]


def test_runs_of_an_audit_are_as_many_as_asked_and_no_two_alike():
    for repeats in (2, 3, 10, 23):
        base = [run for world in range(min(BASE, repeats)) for run in runs_in(world, repeats)]
        assert len(base) == len(set(base)) == repeats
        assert {0, 1} <= {run.order for run in base}
    everywhere = [run for world in range(len(worlds(10))) for run in runs_in(world, 10)]
    assert len(set(everywhere)) == len(everywhere) == 10 + 7 * 2
    days = {(world.ahead_s // 86400) % 7 for world in worlds(10)}
    seconds = {world.ahead_s % 60 for world in worlds(10)}
    assert (len(days), len(seconds), len({world.hash_seed for world in worlds(10)})) == (7, 10, 10)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = sorted([3, 1])\nimport datetime\nd = datetime.date(2020, 1, 2)\n", False),
        ("x = {1, 2}\n", True),
        ("x = {1: 2}\n", False),
        ("x = [v for v in frozenset(y)]\n", True),
        ("import random\n", True),
        ("from time import time\nt = time()\n", True),
        ("def f():\n    return datetime.datetime.now()\n", True),
        ("x = hash('a')\n", True),
    ],
)
def test_a_task_is_sensitive_when_its_text_has_to_do_with_chance_time_or_sets(source, expected):
    assert is_sensitive(clamp(reference=source)) is expected
    assert is_sensitive(clamp(reference=None, tests=source)) is expected


def labels(tests: str) -> set[str]:
    return {stub.label for stub in stubs(clamp(tests=tests))}


def test_a_second_error_is_raised_only_where_tests_may_tell_it_from_the_first():
    assert "raising ValueError" not in labels(TESTS)
    for more in ("    try:\n        clamp()\n    except Exception:\n        pass\n", "    with x: clamp()\n"):
        assert "raising ValueError" in labels(f"{TESTS}\ndef test_more():\n{more}")
    assert "raising ValueError" in labels(f"{TESTS}\ndef test_more():\n    assertRaises(KeyError, clamp)\n")


def test_rarer_answers_are_tried_where_the_tests_have_them():
    assert not {"returning {}", "returning ()", "returning -1", "returning 7"} & labels(TESTS)
    more = "\ndef test_more():\n    assert clamp() == {}\n    assert clamp(1) == ()\n    assert clamp(2) == -1\n"
    assert labels(TESTS + more) >= {"returning {}", "returning ()", "returning -1"}
    assert "returning 7" in labels("def test_a(): assert clamp(1) == 7\ndef test_b(): assert clamp(2) == 7\n")


def test_a_reference_that_once_ran_out_of_time_is_looked_at_again_with_more(pools):
    waits = "import random\nimport time\n\ndef clamp(value, low, high):\n    if random.random() < 0.1:\n"
    waits += "        time.sleep(SECONDS)\n" + REFERENCE.partition("\n")[2]  # in one run, by its seed
    near = clamp(reference=waits.replace("SECONDS", "0.5"), timeout_s=0.4)
    hangs = clamp(task_id="hangs", reference=waits.replace("SECONDS", "60"), timeout_s=0.4)
    found = audited([near, hangs], pools)
    assert "flaky" not in kinds(found["clamp"])
    assert "flaky" in kinds(found["hangs"])
