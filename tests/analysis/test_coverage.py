import sys

import pytest

from analysis import coverage
from tests.conftest import ROOT

sys.path.append(str(ROOT / "benchmarks"))
import bench_coverage


def test_every_kind_of_interval_was_measured_in_several_settings_with_enough_repeats() -> None:
    for method in (coverage.T_OVER_SEEDS, coverage.T_OVER_TASKS, coverage.BOOTSTRAP_OF_IQM):
        rows = [row for row in coverage.table() if row.method == method and row.usual]
        assert len({row.setting for row in rows}) >= 5
        assert min(row.intervals for row in rows) >= 400


def test_between_measured_sizes_the_lower_coverage_counts_and_below_the_least_none() -> None:
    t = coverage.T_OVER_SEEDS
    assert coverage.measured(t, 17) == min(coverage.measured(t, 15), coverage.measured(t, 20))
    assert coverage.measured(t, 1000) == coverage.measured(t, 20)
    assert not coverage.holds(t, 1)
    assert not coverage.holds(coverage.BOOTSTRAP_OF_IQM, 3)


def test_what_is_printed_holds_from_the_least_size_on() -> None:
    for method in (coverage.T_OVER_SEEDS, coverage.T_OVER_TASKS, coverage.BOOTSTRAP_OF_IQM):
        sizes = sorted({row.n for row in coverage.table() if row.method == method})
        assert all(coverage.holds(method, n) for n in sizes if n >= coverage.least(method))


@pytest.mark.parametrize("name", ["solved now and then", "arms skewed apart"])
def test_intervals_over_seeds_cover_as_the_table_says(name: str) -> None:
    setting = next(setting for setting in bench_coverage.OVER_SEEDS if setting.name == name)
    again = bench_coverage.over_seeds(setting._replace(tasks=40), repeats=600, iqm_seeds=())
    chosen = [row for row in again if row.n in (3, 5, 10) and row.method == coverage.T_OVER_SEEDS]
    assert len(chosen) == 3
    assert all(row.coverage >= coverage.LEAST - 0.03 for row in chosen)


def test_intervals_over_tasks_cover_as_the_table_says() -> None:
    stored = {(row.setting, row.n): row.coverage for row in coverage.table()}
    again = [row for setting in bench_coverage.OVER_TASKS[::5] for row in bench_coverage.over_tasks(setting, 1000)]
    assert len(again) > 10
    assert all(
        row.coverage == pytest.approx(stored[row.setting, row.n], abs=0.05) for row in again if row.intervals > 500
    )
