import numpy as np
import pytest
from scipy.stats import ttest_1samp

from ablation.cluster.detectable import Noise, pair_sd, smallest_difference


def simulated_pairs(effect: float, seeds: int, tasks: int, samples: int, noise: Noise, studies: int) -> np.ndarray:
    """Differences [studies, seeds] of the solved rates of two arms whose samples are really drawn, task by task."""
    rng = np.random.default_rng(0)
    shape = (studies, seeds, tasks)
    spread = noise.rate * (1 - noise.rate) * noise.clustering
    common = rng.normal(0, np.sqrt(spread * noise.shared), shape)

    def solved(shift: float) -> np.ndarray:
        own = rng.normal(0, np.sqrt(spread * (1 - noise.shared)), shape)
        seed = rng.normal(0, noise.between_seeds, (studies, seeds, 1))
        return rng.binomial(samples, np.clip(noise.rate + shift + seed + common + own, 0, 1)).mean(axis=2) / samples

    return solved(effect / 2) - solved(-effect / 2)


@pytest.mark.filterwarnings("ignore:Precision loss")  # three pairs may happen to be equal
@pytest.mark.parametrize(("seeds", "tasks", "samples"), [(3, 100, 5), (5, 60, 3), (10, 100, 8)])
def test_a_paired_t_test_finds_the_smallest_difference_four_times_in_five(seeds: int, tasks: int, samples: int):
    noise = Noise(clustering=0.1)  # small enough for rates that stay between 0 and 1
    effect = smallest_difference(seeds, tasks, samples, noise=noise)
    assert effect is not None
    pairs = simulated_pairs(effect, seeds, tasks, samples, noise, studies=4000)
    assert pairs.std() == pytest.approx(pair_sd(tasks, samples, noise), rel=0.03)
    found = np.mean(ttest_1samp(pairs, 0, axis=1).pvalue < 0.05)
    assert found == pytest.approx(0.8, abs=0.03)  # 4000 studies: standard error .006


def test_more_seeds_tasks_or_samples_show_smaller_differences():
    base = smallest_difference(3, 100, 5)
    assert base is not None
    for more in ((4, 100, 5), (3, 200, 5), (3, 100, 10)):
        smaller = smallest_difference(*more)
        assert smaller is not None
        assert smaller < base


def test_two_seeds_are_not_a_comparison():
    assert smallest_difference(2, 100, 5) is None
