"""Which difference between two arms a study can show, before it has been trained. Pure."""

import math
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import nctdtr, stdtrit  # the same as scipy.stats.nct and t, which takes a second to import

POWER = 0.8
LEVEL = 0.95
MIN_SEEDS = 3  # below there is no interval (analysis.statistics)


@dataclass(frozen=True)
class Noise:
    """What is assumed of a score between 0 and 1 before anything is known, as standard deviations and shares."""

    rate: float = 0.5  # mean score: the worst case
    between_seeds: float = 0.02  # sd of a chain's true score over seeds
    clustering: float = 1 / 3  # intra-task correlation of samples: a task is easy or hard
    shared: float = 0.5  # share of that which both chains of a pair have in common, and which cancels


def pair_sd(tasks: int, samples: int, noise: Noise) -> float:
    """Returns the sd of one seed's difference between two arms that are scored on the same tasks.

    A chain's score is its true mean plus, for each task, a deviation (variance ``p(1-p) * clustering``, of which
    the part ``shared`` is equal in both chains) and the noise of ``samples`` samples (``p(1-p) * (1 - clustering)
    / samples``); the clustered variance of a mean over tasks is Miller 2024, arXiv 2411.00640, section 2.2, and the
    gain from pairing on tasks its section 4.2.
    """
    of_sample = noise.rate * (1 - noise.rate)
    of_task = of_sample * (noise.clustering * (1 - noise.shared) + (1 - noise.clustering) / samples)
    return math.sqrt(2 * noise.between_seeds**2 + 2 * of_task / tasks)


def smallest_difference(
    seeds: int, tasks: int, samples: int, *, power: float = POWER, noise: Noise | None = None
) -> float | None:
    """Returns the true difference that a two-sided paired t test over ``seeds`` finds with probability ``power``.

    None below three seeds, where no interval is given. The test's statistic has a noncentral t distribution with
    ``seeds - 1`` degrees of freedom and noncentrality ``difference * sqrt(seeds) / pair_sd`` (Cohen 1988,
    Statistical Power Analysis for the Behavioral Sciences, chapter 2).
    """
    if seeds < MIN_SEEDS:
        return None
    freedom = seeds - 1
    critical = stdtrit(freedom, 0.5 + LEVEL / 2)

    def excess(noncentrality: float) -> float:
        found = 1 - nctdtr(freedom, noncentrality, critical) + nctdtr(freedom, noncentrality, -critical)
        return float(found) - power

    highest = 1.0  # grown step by step: far beyond what is needed SciPy's distribution is no number
    while excess(highest) < 0:
        highest *= 1.5
    needed = float(brentq(excess, 0.0, highest))
    return needed * pair_sd(tasks, samples, noise or Noise()) / math.sqrt(seeds)
