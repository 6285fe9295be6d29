"""Many runs of one task by one worker: what differs between runs and between worlds, and what must not."""

import datetime
import time

import pytest

from ablation.scoring.environment import World
from ablation.scoring.evaluator.run import ordered
from ablation.scoring.examination import Examination, Run, Series
from ablation.scoring.pool import ScoringPool
from ablation.scoring.verdict import Verdict
from ablation.tasks.task import Task

TESTS = """\
import datetime
import random
import time
from datetime import date

from solution import answer


def test_own(tmp_path):
    assert answer() == {value}
"""
ALWAYS = "import solution\n\nseen = []\n\n\ndef test_a():\n    seen.append(1)\n\n\ndef test_b():\n    assert seen\n"


def examined(tests: str, series: list[Series], world: World | None = None, **task: object) -> list[Verdict]:
    """The verdicts of one examination in a pool of its own."""
    one = Task("one", "def answer():\n", "answer", tests, **task)  # type: ignore[arg-type]
    with ScoringPool(1, world=world or World()) as pool:
        ((_, verdicts),) = pool.examine([Examination(one, tuple(series))])
    return verdicts


def test_runs_of_a_series_come_in_order_and_differ_in_the_seed_on_both_sides():
    tests = TESTS.format(value="random.random()")
    runs = (Run(0), Run(1), Run(7))
    verdicts = examined(tests, [Series("    import random\n    return random.random()\n", runs)])
    assert [verdict.solved for verdict in verdicts] == [True] * 3
    fixed = examined(tests, [Series("    return 0.8444218515250481\n", runs)])  # of seed 0
    assert [verdict.solved for verdict in fixed] == [True, False, False]


def test_a_reversed_order_shows_a_test_that_needs_another_before_it():
    verdicts = examined(ALWAYS, [Series("    return 1\n", (Run(0, 0), Run(0, 1), Run(0, 0)))])
    assert [dict(verdict.tests)["test_b"] for verdict in verdicts] == ["passed", "failed", "passed"]


def test_shuffled_tests_of_a_class_stay_together():
    names = ["a", "b", "TestOne::c", "TestOne::d", "TestOne::e", "f"]
    orders = [ordered(names, order) for order in range(12)]
    assert orders[0] == names
    assert orders[1] == names[::-1]
    assert len({tuple(order) for order in orders}) > 8
    for order in orders[2:]:
        places = [order.index(name) for name in names if name.startswith("TestOne")]
        assert max(places) - min(places) == 2
        assert sorted(order) == sorted(names)


def test_modules_of_our_own_run_beside_the_tests_and_keep_nothing():
    series = [
        Series("seen = []\ndef answer():\n    seen.append(1)\n    return len(seen)\n", (Run(), Run(1)), ours=True)
    ]
    assert [v.solved for v in examined(TESTS.format(value=1), series)] == [True, True]
    empty = [Series("", ours=True), Series("answer = 1 / 0\n", ours=True), Series("def answer(: pass", ours=True)]
    verdicts = examined(TESTS.format(value=1), empty)
    assert [(v.status, set(v.tests.values())) for v in verdicts] == [("scored", {"error"})] * 3


def test_a_module_of_our_own_that_never_ends_is_stopped_at_the_deadline():
    endless = Series("def answer():\n    while True:\n        pass\n", ours=True)
    verdicts = examined(TESTS.format(value=1), [endless, Series("    return 1\n")], timeout_s=0.3)
    assert [verdict.status for verdict in verdicts] == ["timeout", "scored"]
    assert verdicts[1].solved


def test_a_candidate_that_ends_its_worker_costs_the_other_runs_nothing():
    tests = "import os\nfrom solution import answer\n\n\ndef test_a():\n    if answer():\n        os._exit(1)\n"
    series = [Series("    return 0\n", (Run(),)), Series("    return 1\n", (Run(1),)), Series("    return 0\n")]
    assert [verdict.status for verdict in examined(tests, series)] == ["scored", "crashed", "scored"]


@pytest.mark.parametrize("side", ["candidate", "tests"])
def test_a_world_has_its_own_hashes(side):
    names = ("ab", "cd", "ef", "gh")
    joined = f"''.join({set(names)!r})"
    answer, asserted = (joined, "answer()") if side == "candidate" else ("1", joined)
    tests = (
        "import pytest\nfrom solution import answer\n\n\n"
        f"@pytest.mark.parametrize('first', {names!r})\ndef test_a(first):\n    assert {asserted}.startswith(first)\n"
    )

    def passed(seed: int) -> tuple[str, ...]:
        (verdict,) = examined(tests, [Series(f"    return {answer}\n")], World(seed))
        return tuple(name for name, outcome in verdict.tests.items() if outcome == "passed")

    first = passed(0)
    assert len(first) == 1
    assert passed(0) == first
    assert any(passed(seed) != first for seed in range(1, 6))


def test_a_world_has_a_clock_that_both_sides_see_whichever_way_they_look():
    now = "time.time(), datetime.datetime.now().timestamp(), datetime.datetime.today().timestamp()"
    days = "date.today(), datetime.datetime.now(datetime.timezone.utc).date(), datetime.date(*time.gmtime()[:3])"
    tests = f"""\
import datetime
import time
from datetime import date
from solution import answer


def test_times():
    assert all(abs(mine - yours) < 5 for mine, yours in zip([{now}], answer()[0]))


def test_days():
    assert set([{days}]) == set(answer()[1])


def test_ahead():
    assert all(seen - {time.time()} > 86400 * 400 for seen in [{now}])
    assert date.today().isoformat() > {(datetime.date.today() + datetime.timedelta(399)).isoformat()!r}
"""
    candidate = f"    import datetime, time\n    from datetime import date\n    return [[{now}], [{days}]]\n"
    (verdict,) = examined(tests, [Series(candidate)], World(1, 86400 * 401))
    assert dict(verdict.tests) == dict.fromkeys(verdict.tests, "passed"), verdict
    (verdict,) = examined(tests, [Series(candidate)])
    assert dict(verdict.tests)["test_ahead"] == "failed"
