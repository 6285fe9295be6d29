import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from analysis.coverage import BOOTSTRAP_OF_IQM, T_OVER_TASKS, least
from analysis.statistics import clustered_se, conditional, holm, iqm, iqm_interval, paired_seeds, pass_at_k, robust


def test_paired_seeds_equal_scipys_paired_t_test() -> None:
    a, b = {0: 0.20, 1: 0.25, 2: 0.22, 3: 0.31}, {0: 0.28, 1: 0.27, 2: 0.30, 3: 0.35}
    expected = stats.ttest_rel(list(b.values()), list(a.values()))
    interval = expected.confidence_interval(0.95)
    found = paired_seeds(a, b)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.mean == pytest.approx(0.055)


def test_only_seeds_of_both_arms_are_paired() -> None:
    found = paired_seeds({0: 0.1, 1: 0.2, 7: 0.9}, {0: 0.2, 1: 0.4, 8: 0.0})
    assert found.pairs == pytest.approx({0: 0.1, 1: 0.2})


def test_two_seeds_have_points_and_no_interval() -> None:
    found = paired_seeds({0: 0.1, 1: 0.2}, {0: 0.2, 1: 0.4})
    assert found.mean == pytest.approx(0.15)
    assert not found.has_interval
    assert not found.excludes_zero


def test_differences_that_do_not_vary_have_no_interval() -> None:
    assert not paired_seeds(dict.fromkeys(range(3), 0.1), dict.fromkeys(range(3), 0.3)).has_interval


def test_an_unscored_seed_is_no_pair() -> None:
    assert paired_seeds({0: math.nan, 1: 0.2}, {0: 0.2, 1: 0.4}).n == 1


def test_conditional_differences_have_the_standard_error_of_miller() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.random(50)
    found = conditional(*({str(i): float(v) for i, v in enumerate(x)} for x in (a, b)))
    assert found.se == pytest.approx(np.std(b - a, ddof=1) / math.sqrt(50))
    assert found.se == pytest.approx(stats.sem(b - a))


def test_few_tasks_or_few_that_differ_have_no_interval_over_tasks() -> None:
    same = {str(i): 0.5 for i in range(100)}
    needed = least(T_OVER_TASKS)
    few = same | {str(i): 0.5 + 0.01 * (i + 1) for i in range(needed - 1)}
    assert not conditional(same, few).has_interval
    assert conditional(same, few | {"50": 0.7}).has_interval
    assert not conditional({str(i): 0.1 * i for i in range(19)}, {str(i): 0.0 for i in range(19)}).has_interval


@pytest.mark.parametrize("n", [3, 5])
def test_the_t_interval_over_seeds_covers_on_bounded_skewed_clustered_scores(n: int) -> None:
    # A seed's score: 100 tasks x 8 samples whose chance varies by task around a skewed seed effect in [0, 1].
    rng, repeats, means = np.random.default_rng(n), 1500, (0.05, 0.125)
    scores = []
    for mean in means:
        effect = rng.beta(mean * 30, (1 - mean) * 30, (repeats, n, 1))
        chance = rng.beta(effect + 1e-9, 1 - effect + 1e-9, (repeats, n, 100))
        scores.append((rng.binomial(8, chance) / 8).mean(axis=2))
    covered = 0
    for a, b in zip(*scores, strict=True):
        found = paired_seeds(dict(enumerate(a)), dict(enumerate(b)))
        covered += found.low <= means[1] - means[0] <= found.high
    assert covered / repeats == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("n", "rare"), [(20, False), (100, False), (100, True), (200, True)])
def test_the_interval_over_tasks_covers_where_it_is_given(n: int, rare: bool) -> None:
    a, b, spread = (0.05, 0.10, 0.5) if rare else (0.3, 0.4, 2.0)
    rng, covered, given = np.random.default_rng(n), 0, 0

    def chances(size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        easy = rng.beta(a * spread, (1 - a) * spread, size)
        other = rng.beta(b * spread, (1 - b) * spread, size)
        return easy, np.where(rng.random(size) < 0.8, np.minimum(easy * b / a, 1), other)

    truth = float(np.subtract(*reversed(chances((1_000_000,)))).mean())
    for _ in range(1200):
        scores = [rng.binomial(8, chance) / 8 for chance in chances((n,))]
        found = conditional(*(dict(zip(map(str, range(n)), x.tolist(), strict=True)) for x in scores))
        given += found.has_interval
        covered += found.has_interval and found.low <= truth <= found.high
    assert given > 300
    assert covered / given == pytest.approx(0.95, abs=0.03)


def test_the_interquartile_mean_is_scipys_trimmed_mean() -> None:
    rng = np.random.default_rng(4)
    for n in (3, 4, 5, 8, 11, 20):
        values = rng.random((7, n))
        assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25, axis=-1))


def test_the_bootstrap_of_interquartile_means_agrees_with_scipys() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.gamma(2, size=12), rng.gamma(3, size=12)
    scipys = stats.bootstrap(
        (a, b), lambda x, y, axis: iqm(y) - iqm(x), method="percentile", n_resamples=20_000, rng=rng
    ).confidence_interval
    assert iqm_interval(a, b) == pytest.approx((scipys.low, scipys.high), abs=0.15)


def test_an_outlying_seed_moves_the_mean_and_not_the_interquartile_mean() -> None:
    a, b = {seed: 0.2 + seed / 100 for seed in range(8)}, {seed: 0.3 + seed / 100 for seed in range(8)}
    usual, odd = robust(a, b), robust(a, b | {7: 0.0})
    assert usual.difference == pytest.approx(0.1)
    assert odd.difference == pytest.approx(0.1, abs=0.011)
    assert math.isfinite(usual.low)


def test_below_the_seeds_where_it_was_measured_to_hold_the_bootstrap_gives_no_interval() -> None:
    few = {seed: 0.1 * seed for seed in range(least(BOOTSTRAP_OF_IQM) - 1)}
    found = robust(few, {seed: value + 0.1 for seed, value in few.items()})
    assert found.difference == pytest.approx(0.1)
    assert math.isnan(found.low)


def test_clustered_error_equals_the_error_of_task_means_when_tasks_have_equally_many_samples() -> None:
    scores = np.random.default_rng(0).random((30, 8))
    tasks = np.repeat(np.arange(30), 8)
    assert clustered_se(scores.ravel().tolist(), tasks.tolist()) == pytest.approx(stats.sem(scores.mean(axis=1)))


def test_clustered_error_is_that_of_the_mean_over_repeated_draws_of_unequal_clusters() -> None:
    rng = np.random.default_rng(1)
    means, errors = [], []
    for _ in range(600):
        sizes = rng.integers(2, 12, 60)
        chance = np.repeat(rng.beta(0.5, 1.5, 60), sizes)
        solved = (rng.random(len(chance)) < chance).astype(float)
        means.append(solved.mean())
        errors.append(clustered_se(solved.tolist(), np.repeat(np.arange(60), sizes).tolist()))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.08)


def test_one_task_has_no_clustered_error() -> None:
    assert math.isnan(clustered_se([0.0, 1.0], ["a", "a"]))
    assert math.isnan(clustered_se([], []))


@pytest.mark.parametrize(("n", "c", "k"), [(8, 0, 4), (8, 3, 1), (8, 3, 2), (8, 3, 4), (8, 7, 4), (8, 8, 7)])
def test_pass_at_k_is_the_share_of_draws_without_replacement_with_a_solved_sample(n: int, c: int, k: int) -> None:
    draws = [any(index < c for index in drawn) for drawn in combinations(range(n), k)]
    assert pass_at_k(n, c, k) == pytest.approx(sum(draws) / len(draws))


@pytest.mark.parametrize("k", [0, 8, 9])
def test_pass_at_k_refuses_k_that_is_not_below_n(k: int) -> None:
    with pytest.raises(ValueError, match="sample more"):
        pass_at_k(8, 3, k)


def test_holm_gives_the_worked_example_and_skips_missing_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    adjusted = holm([0.02, math.nan])
    assert adjusted[0] == 0.02
    assert math.isnan(adjusted[1])
