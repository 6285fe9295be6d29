"""How often the 95 % intervals of the analysis cover, on data like a study's: writes ``analysis/coverage.csv``.

A task's difficulty is a beta variable; each arm shifts its log-odds, differently for each task; a seed shifts all
tasks of its arm by a gamma variable of skewness 1 (usual settings), half of it common to both arms of a pair;
samples are binomial in their task, or fractions of tests that vary within it. So scores are bounded, clustered and
skewed. Intervals over seeds are about the expected difference on the same tasks, which is known by a simulation of
6,000 seeds; those over tasks about the expected difference over all tasks of the kind.

Settings that are not usual are harsher than what a study should show (seeds that collapse, skewness 2): they are
measured, printed and stored to show where an interval fails, and decide nothing. ``--quick`` prints a smaller grid.
"""

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis import coverage
from analysis.statistics import MIN_TASKS, Floats, iqm, iqm_interval, t_interval

REPEATS = 4000  # a standard error of .0035 of each coverage; a third of them for the bootstrap, which is slow
TASK_SETS = 10  # the repeats of a setting share these
SEEDS = (2, *range(3, 13), 15, 20)
IQM_SEEDS = (5, 8, 10, 15, 20)
MOVED = (3, 5, 8, 10, 12, 15, 20, 30, 50)  # tasks that must differ
TRUTH = 6000  # seeds


class Seeds(NamedTuple):
    """Two arms over the same tasks. ``skew`` is of the seeds' effect of arm a; that of b may point the other way."""

    name: str
    rates: tuple[float, float]
    tasks: int
    samples: int
    sd: float = 0.5  # of the seeds' effect, in log-odds
    skew: float = 1.0
    opposite: bool = False
    tests: int = 1  # above 1: a sample's score is the fraction of its tests passed
    collapse: float = 0.0  # chance that a seed of b ends with nothing learned
    usual: bool = True


class Tasks(NamedTuple):
    """Two given checkpoints over ``tasks`` tasks; ``spread``: concentration of difficulties (below 2: two heaps)."""

    name: str
    rates: tuple[float, float]
    tasks: int
    samples: int
    spread: float = 1.0
    noise: float = 0.7  # sd over tasks of the difference in log-odds
    anew: float = 0.0  # share of tasks that are as hard for b as another task is for a: a few move far


OVER_SEEDS = (
    Seeds("solved now and then", (0.15, 0.20), 100, 5),
    Seeds("seldom solved", (0.02, 0.04), 100, 5, sd=0.6),
    Seeds("nearly always solved", (0.93, 0.96), 100, 5, skew=-1.0),
    Seeds("few tasks", (0.50, 0.55), 20, 4),
    Seeds("many tasks", (0.15, 0.20), 400, 8, sd=0.6),
    Seeds("arms skewed apart", (0.15, 0.20), 100, 5, opposite=True),
    Seeds("fractions of six tests", (0.40, 0.46), 60, 4, tests=6),
    Seeds("arms skewed apart, skewness 2", (0.15, 0.20), 100, 5, sd=0.8, skew=2.0, opposite=True, usual=False),
    Seeds("one seed in eight collapses", (0.15, 0.20), 100, 5, collapse=0.125, usual=False),
)
OVER_TASKS = tuple(
    Tasks(f"{name}, {tasks} tasks", rates, tasks, samples, spread, noise, anew)
    for name, rates, samples, spread, noise, anew in (
        ("seldom solved", (0.02, 0.04), 5, 0.5, 0.7, 0.0),
        ("solved now and then", (0.15, 0.20), 5, 1.0, 0.7, 0.0),
        ("one sample", (0.30, 0.35), 1, 1.0, 0.7, 0.0),
        ("half solved", (0.50, 0.55), 8, 2.0, 0.7, 0.0),
        ("nearly always solved", (0.95, 0.97), 5, 0.5, 0.7, 0.0),
        ("a few tasks move far", (0.05, 0.10), 8, 0.5, 0.7, 0.2),
        ("very few tasks are ever solved", (0.01, 0.02), 8, 0.2, 0.7, 0.2),
    )
    for tasks in (MIN_TASKS, 50, 100, 300)
)


def over_seeds(
    setting: Seeds, repeats: int = REPEATS, iqm_seeds: tuple[int, ...] = IQM_SEEDS
) -> list[coverage.Measured]:
    """Coverages of the t interval of paired differences, and of the bootstrap of IQMs, at every number of seeds."""
    rng = np.random.default_rng(_number(setting.name))
    hits: dict[tuple[str, int], list[float]] = {}
    for _ in range(TASK_SETS):
        odds = _odds(rng, setting.rates, setting.tasks, 1.0, 0.5)
        truth = [_chances(o, e).mean(axis=-1) for o, e in zip(odds, _effects(rng, setting, (TRUTH,)), strict=True)]
        means, robust = truth[1].mean() - truth[0].mean(), iqm(truth[1]) - iqm(truth[0])
        scores = _scores(rng, setting, odds, repeats // TASK_SETS)
        for n in SEEDS:
            low, high = t_interval(scores[1][:, :n] - scores[0][:, :n])
            hits.setdefault((coverage.T_OVER_SEEDS, n), []).extend((low <= means) & (means <= high))
        for n in iqm_seeds:
            third = len(scores[0]) // 3
            low, high = _in_parts(scores[0][:third, :n], scores[1][:third, :n])
            hits.setdefault((coverage.BOOTSTRAP_OF_IQM, n), []).extend((low <= robust) & (robust <= high))
    return [_measured(method, setting.name, setting.usual, n, found) for (method, n), found in hits.items()]


def over_tasks(setting: Tasks, repeats: int = REPEATS) -> list[coverage.Measured]:
    """Coverages of the interval over tasks, given where at least so many of them differ.

    Left out is a number that fewer than one repeat in ten has: another setting shows what happens there.
    """
    rng = np.random.default_rng(_number(setting.name))
    many = _odds(rng, setting.rates, 2_000_000, setting.spread, setting.noise, setting.anew)
    truth = _logistic(many[1]).mean() - _logistic(many[0]).mean()
    odds = _odds(rng, setting.rates, repeats * setting.tasks, setting.spread, setting.noise, setting.anew)
    a, b = (rng.binomial(setting.samples, _logistic(o)).reshape(repeats, -1) / setting.samples for o in odds)
    low, high = t_interval(b - a)
    moved = np.count_nonzero(b - a, axis=1)
    found = [(n, ((low <= truth) & (truth <= high))[moved >= n].tolist()) for n in MOVED]
    return [
        _measured(coverage.T_OVER_TASKS, setting.name, True, n, hit) for n, hit in found if len(hit) * 10 >= repeats
    ]


def _number(name: str) -> int:
    """A number that a name always has, in every process."""
    return int.from_bytes(name.encode()[:16], "little") % 2**32


def _odds(
    rng: np.random.Generator, rates: tuple[float, float], tasks: int, spread: float, noise: float, anew: float = 0.0
) -> list[Floats]:
    """Log-odds [tasks] of both arms; tasks that are hard for one are hard for the other, but for a share ``anew``."""
    middle = sum(rates) / 2
    easy = np.clip(rng.beta(middle * spread, (1 - middle) * spread, (2, tasks)), 1e-6, 1 - 1e-6)
    easy[1] = np.where(rng.random(tasks) < anew, easy[1], easy[0])
    logit = np.log(easy / (1 - easy))  # [arms, tasks]
    apart = (np.log(rates[1] / (1 - rates[1])) - np.log(rates[0] / (1 - rates[0]))) / 2
    return [
        of + sign * apart + rng.normal(0, noise / np.sqrt(2), tasks) for of, sign in zip(logit, (-1, 1), strict=True)
    ]


def _effects(rng: np.random.Generator, setting: Seeds, shape: tuple[int, ...]) -> list[Floats]:
    """The seeds' effects on both arms, of mean 0, ``sd`` and a gamma's skewness; half of the variance is common."""
    form = 4 / setting.skew**2

    def skewed(sign: float) -> Floats:
        return np.sign(setting.skew) * sign * (rng.gamma(form, size=shape) - form) / np.sqrt(form)

    common = skewed(1.0)
    own = [skewed(1.0), skewed(-1.0 if setting.opposite else 1.0)]
    parts = [x if setting.opposite else (common + x) / np.sqrt(2) for x in own]
    effects = [setting.sd * part for part in parts]
    effects[1] = np.where(rng.random(shape) < setting.collapse, -6.0, effects[1])
    return effects


def _scores(rng: np.random.Generator, setting: Seeds, odds: list[Floats], repeats: int) -> list[Floats]:
    """Scores [repeats, seeds] of both arms."""
    scores = []
    for of_arm, effect in zip(odds, _effects(rng, setting, (repeats, max(SEEDS))), strict=True):
        chances = _chances(of_arm, effect)
        if setting.tests == 1:
            passed = rng.binomial(setting.samples, chances) / setting.samples
        else:
            of_sample = rng.beta(
                3 * chances[..., None], 3 * (1 - chances[..., None]), (*chances.shape, setting.samples)
            )
            passed = rng.binomial(setting.tests, of_sample).mean(axis=-1) / setting.tests
        scores.append(passed.mean(axis=-1))
    return scores


def _chances(odds: Floats, effects: Floats) -> Floats:
    return _logistic(odds + effects[..., None])


def _logistic(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))


def _in_parts(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """`iqm_interval` of many repeats, in little memory."""
    parts = [iqm_interval(a[at : at + 50], b[at : at + 50]) for at in range(0, len(a), 50)]
    low, high = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    return low, high


def _measured(method: str, setting: str, usual: bool, n: int, hits: list[float]) -> coverage.Measured:
    return coverage.Measured(method, setting, usual, n, len(hits), round(float(np.mean(hits)), 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats, and nothing is stored")
    repeats = REPEATS // 10 if parser.parse_args().quick else REPEATS
    rows: list[coverage.Measured] = []
    for setting in OVER_SEEDS:
        rows += over_seeds(setting, repeats)
        print(f"{setting.name}: measured", flush=True)
    for of_tasks in OVER_TASKS:
        rows += over_tasks(of_tasks, repeats)
    rows.sort(key=lambda row: (row.method, row.n, not row.usual, row.setting))
    if repeats == REPEATS:
        with Path(coverage.__file__).with_name("coverage.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(coverage.Measured._fields)
            writer.writerows(row._replace(usual="yes" if row.usual else "no") for row in rows)
    for method in dict.fromkeys(row.method for row in rows):
        of_method = [row for row in rows if row.method == method]
        for n in dict.fromkeys(row.n for row in of_method):
            usual, harsh = ([r.coverage for r in of_method if r.n == n and r.usual is kind] for kind in (True, False))
            print(
                f"{method}, n = {n}: lowest {min(usual):.3f}" + (f", harsh settings {min(harsh):.3f}" if harsh else "")
            )


if __name__ == "__main__":
    main()
