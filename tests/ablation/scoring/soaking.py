"""Many executions, a few of them hostile, and what they leave behind."""

import gc
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from unittest import mock

import psutil
from gallery_attacks import Attack
from gallery_tasks import TARGETS, Target, honest
from pool_family import evaluators, strays, zombies

from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.process import WorkerProcess
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
    worst_overrun_s: float  # wall time beyond the deadline of a candidate, negative: none
    worst: str  # what overran it so
    longest_wait_s: float  # until a candidate began, its worker tidying up after the one before
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
    seen = Soak(Counter(), [], [], 0.0, "", 0.0, 0)
    worst, longest, lost, worker = (-1e9, ""), 0.0, 0, None
    for number in range(executions):
        now = [process.pid for process, _ in evaluators()]
        if now != worker:
            warm(pool)
            lost, worker = lost + (worker is not None), [process.pid for process, _ in evaluators()]
        attack = chance.choice(attacks) if chance.random() < hostile_share else None
        target = TARGETS[chance.choice(attack.tasks if attack else list(TARGETS))]
        known = {process.pid for process, _ in evaluators()}
        text = f"{attack.on(target) if attack else honest(target)}<!-- {number} -->\n"
        verdict, waited, overrun = _timed(pool, target, text)
        if {process.pid for process, _ in evaluators()} <= known:  # else the start of a worker was waited for
            worst = max(worst, (overrun, attack.name if attack else "an honest candidate"))
            longest = max(longest, waited)
        if attack is None and not verdict.solved:
            seen.unsolved.append(verdict)
        if attack is not None:
            seen.statuses[verdict.status] += 1
            seen.unscored.extend([verdict] * (not verdict.scored))
    return seen._replace(worst_overrun_s=worst[0], worst=worst[1], longest_wait_s=longest, workers_lost=lost)


def _timed(pool: ScoringPool, target: Target, text: str) -> tuple[Verdict, float, float]:
    """A verdict, the seconds until the pool heard that its candidate begins, and those beyond its deadline."""
    heard: list[float] = []

    def receive(worker: WorkerProcess) -> list[Verdict]:
        verdicts = original(worker)
        if worker.started or verdicts:
            heard.append(time.monotonic())
        return verdicts

    original, asked = WorkerProcess.receive, time.monotonic()
    with mock.patch.object(WorkerProcess, "receive", receive):
        (verdict,) = pool.score([Submission(target.task, text)])
    began = heard[0] if heard else asked
    return verdict, began - asked, time.monotonic() - began - target.task.timeout_s
