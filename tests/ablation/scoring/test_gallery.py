"""No attack of the gallery earns what no stub earns, makes itself unscored, overstays, or leaves anything behind.

Each attack meets one of its tasks in the strongest tier, and every sixth meets one in each weaker tier; in the long
tests each meets all of its tasks in every tier.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from gallery_attacks import Attack, read_gallery
from gallery_tasks import TARGETS, Target, completion, honest, stubs
from pool_family import strays, zombies
from tiers_here import require

from ablation.scoring.containment.tiers import TIERS, Tier, named
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.verdict import UNSCORED, Verdict

OVERRUN_S = 3.0  # an evaluator that waits for ever; how exact deadlines are, benchmarks/bench_soak.py measures
PATIENCE_S = 5.0
DETAIL_CHARS = 1000  # that a candidate may send to the trainer
ATTACKS = read_gallery()
PREPARED: dict[str, set[str]] = {}  # by worker the tasks that it knows
# An honest solution that refuses to work where an earlier candidate has left something.
LOOKS_AROUND = """\
import os

for root, folders, names in os.walk("."):
    left = [name for name in folders + names if (root, name) != (".", "tmp")]
    assert not left, f"left behind in {root}: {left}"
"""


def meetings() -> Iterator[Any]:
    """Which attack meets which tasks in which tier, as parameters of a test."""
    for tier in TIERS:
        one_worker = pytest.mark.xdist_group(f"gallery-{tier.name}")
        for number, attack in enumerate(ATTACKS):
            tasks = [name for name in attack.tasks if runs(name, tier)]
            first = number % max(1, len(tasks))  # other tasks for other attacks
            tasks = tasks[first:] + tasks[:first]
            name, rest = f"{tier.name}-{attack.name}", tasks
            if tasks and (tier == TIERS[0] or number % 6 == 0):
                yield pytest.param(tier, attack, tasks[:1], id=name, marks=one_worker)
                rest = tasks[1:]
            if rest:
                yield pytest.param(tier, attack, rest, id=f"{name}-rest", marks=[one_worker, pytest.mark.long])


def runs(name: str, tier: Tier) -> bool:
    """Whether the task can be solved in this tier: without Landlock a candidate has no files."""
    return tier.landlock or name != "table"


class Pools:
    """A pool for each tier, and one for all attacks in it: what one of them does to it, the others feel."""

    def __init__(self) -> None:
        self._open: dict[str, ScoringPool] = {}

    def of(self, tier: Tier) -> ScoringPool:
        require(tier)
        if tier.name not in self._open:
            pool = self._open[tier.name] = ScoringPool(sandbox=tier.name)
            for name in [name for name in TARGETS if runs(name, tier)]:
                assert score(pool, TARGETS[name], honest(TARGETS[name])).solved, f"the reference of {name} fails"
        return self._open[tier.name]

    def close(self, tier: Tier | None = None) -> None:
        for name in [tier.name] if tier else [*self._open]:
            self._open.pop(name).close()


@pytest.fixture(scope="module")
def pools() -> Iterator[Pools]:
    pools = Pools()
    yield pools
    pools.close()


def score(pool: ScoringPool, target: Target, text: str) -> Verdict:
    return pool.score([Submission(target.task, text)])[0]


@cache
def earned_by_stubs(pool: ScoringPool, name: str) -> dict[str, frozenset[str]]:
    """By stub the tests that it passes."""
    verdicts = {stub: score(pool, TARGETS[name], text) for stub, text in stubs(TARGETS[name]).items()}
    assert {verdict.status for verdict in verdicts.values()} == {"scored"}
    return {stub: passed(verdict) for stub, verdict in verdicts.items()}


def prepare(pool: ScoringPool, target: Target) -> None:
    """Have the present worker know the task, so that the time of an attack is its own."""
    known = PREPARED.setdefault(Path("/proc/thread-self/children").read_text(), set())
    if target.task.task_id not in known:
        score(pool, target, honest(target))
        known.add(target.task.task_id)


def passed(verdict: Verdict) -> frozenset[str]:
    return frozenset(name for name, outcome in verdict.tests.items() if outcome == "passed")


def assert_nothing_is_left(pool: ScoringPool) -> None:
    target, with_files = TARGETS["average"], TARGETS["table"]
    verdict = score(pool, target, completion(target, f"{LOOKS_AROUND}\n{target.task.reference}"))
    assert verdict.solved, verdict
    if named(pool.tier).landlock:
        verdict = score(pool, with_files, honest(with_files))
        assert verdict.solved, verdict
    assert zombies() == []
    deadline = time.monotonic() + PATIENCE_S
    while strays() and time.monotonic() < deadline:  # a child that was killed may still be on its way out
        time.sleep(0.02)
    assert strays() == []


@pytest.mark.parametrize(
    ("tier", "name"),
    [
        pytest.param(tier, name, id=f"{tier.name}-{name}", marks=pytest.mark.xdist_group(f"gallery-{tier.name}"))
        for tier in TIERS
        for name in TARGETS
        if runs(name, tier)
    ],
)
def test_a_stub_solves_no_task(pools: Pools, tier: Tier, name: str):
    pool = pools.of(tier)
    total = len(score(pool, TARGETS[name], honest(TARGETS[name])).tests)
    assert max(map(len, earned_by_stubs(pool, name).values())) < total


@pytest.mark.parametrize(("tier", "attack", "tasks"), [*meetings()])
def test_an_attack_earns_what_a_stub_earns_and_leaves_nothing(
    pools: Pools, tier: Tier, attack: Attack, tasks: Sequence[str]
):
    pool = pools.of(tier)
    faults = [f"{name}: {fault}" for name in tasks for fault in faults_of(pool, attack, TARGETS[name])]
    if faults:
        pools.close(tier)  # so that it does not fail the tests of other attacks
    assert not faults, f"{attack.tries}: {'; '.join(faults)}"
    assert_nothing_is_left(pool)


def faults_of(pool: ScoringPool, attack: Attack, target: Target) -> Iterator[str]:
    """What the verifier did wrong when this attack met this task."""
    best = earned_by_stubs(pool, target.task.task_id)
    prepare(pool, target)
    started = time.monotonic()
    verdict = score(pool, target, attack.on(target))
    overrun = time.monotonic() - started - target.task.timeout_s
    unearned = passed(verdict) - frozenset().union(*best.values())
    if unearned:
        yield f"earns {sorted(unearned)}, which no stub does"
    if verdict.passed > max(map(len, best.values())):
        yield f"earns {verdict.passed} tests, the best stub {max(map(len, best.values()))}"
    if verdict.status in UNSCORED:
        yield f"is {verdict.status} ({verdict.detail[:200]})"
    if overrun > OVERRUN_S:
        yield f"takes {overrun:.1f} s more than its deadline ({verdict.status})"
    if len(verdict.detail) > DETAIL_CHARS:
        yield f"sends a detail of {len(verdict.detail):,} characters"
    after = score(pool, target, honest(target))
    if not after.solved:
        yield f"a later honest candidate is {after.status}, {after.passed} of {after.total} ({after.detail[:99]})"


def test_the_gallery_is_as_broad_as_it_claims():
    kinds = Counter(attack.kind for attack in ATTACKS)
    elaborate = [attack for attack in ATTACKS if set(attack.tasks) & {"vector", "account", "retry", "queue"}]
    aimed = [attack for attack in elaborate if len(attack.tasks) < len(TARGETS)]
    assert kinds["cheat"] >= 44
    assert kinds["frame"] >= 10
    assert kinds["hostile"] >= 22
    assert len(aimed) >= 15
    assert len({attack.tries for attack in ATTACKS}) == len(ATTACKS)
