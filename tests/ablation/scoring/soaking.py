"""Many executions, a few of them hostile, and what they leave behind."""

import gc
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import psutil
from gallery_attacks import Attack
from gallery_tasks import TARGETS, Target, honest
from pool_family import evaluators, strays, zombies

from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.verdict import Verdict


class Footprint(NamedTuple):
    """What the pool has of the machine when it is idle; memory is the resident set."""

    descriptors: int  # of the pool's own process
    evaluator_descriptors: int
    evaluator_mb: float
    server_mb: float  # the candidate server with the child that waits
    stray_processes: int
    zombies: int


class Soak(NamedTuple):
    """What was seen of some executions."""

    statuses: Counter[str]  # of the hostile ones
    unsolved: list[Verdict]  # of honest candidates
    unscored: list[Verdict]  # of hostile ones: no candidate may make itself so
    worst_overrun_s: float  # wall time beyond the deadline of the task, negative: none
    worst: str  # what overran it so
    workers_lost: int


def footprint() -> Footprint:
    """What the worker of this process's newest pool has."""
    gc.collect()  # or what other users of this process have dropped would be counted as long as it lies about
    evaluator, _ = max(evaluators(), key=lambda pair: pair[0].create_time())
    servers = [child for child in evaluator.children(recursive=True) if "candidate.server" in " ".join(child.cmdline())]
    mb = [process.memory_info().rss / 2**20 for process in (evaluator, *servers)]
    counts = (psutil.Process().num_fds(), evaluator.num_fds())
    return Footprint(*counts, mb[0], sum(mb[1:]), len(strays()), len(zombies()))


def warm(pool: ScoringPool) -> None:
    """Have every task prepared by the worker that there is."""
    pool.score([Submission(target.task, honest(target)) for target in TARGETS.values()])


def soak(pool: ScoringPool, attacks: Sequence[Attack], executions: int, hostile_share: float, seed: int) -> Soak:
    """Execute honest and hostile candidates one at a time, in random order."""
    chance = random.Random(seed)
    seen = Soak(Counter(), [], [], 0.0, "", 0)
    worst, lost, worker = (-1e9, ""), 0, None
    for number in range(executions):
        now = [process.pid for process, _ in evaluators()]
        if now != worker:
            warm(pool)
            lost, worker = lost + (worker is not None), [process.pid for process, _ in evaluators()]
        attack = chance.choice(attacks) if chance.random() < hostile_share else None
        target = TARGETS[chance.choice(attack.tasks if attack else list(TARGETS))]
        known = {process.pid for process, _ in evaluators()}
        verdict, overrun = _timed(pool, target, f"{attack.on(target) if attack else honest(target)}<!-- {number} -->\n")
        if {process.pid for process, _ in evaluators()} <= known:  # else the start of a worker was waited for
            worst = max(worst, (overrun, attack.name if attack else "an honest candidate"))
        if attack is None and not verdict.solved:
            seen.unsolved.append(verdict)
        if attack is not None:
            seen.statuses[verdict.status] += 1
            seen.unscored.extend([verdict] * (not verdict.scored))
    return seen._replace(worst_overrun_s=worst[0], worst=worst[1], workers_lost=lost)


def _timed(pool: ScoringPool, target: Target, text: str) -> tuple[Verdict, float]:
    started = time.monotonic()
    (verdict,) = pool.score([Submission(target.task, text)])
    return verdict, time.monotonic() - started - target.task.timeout_s
