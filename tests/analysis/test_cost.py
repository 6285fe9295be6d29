from pathlib import Path

import pytest
import study_folder as folder

from analysis.cells import cost_cells
from analysis.cost import cost_table
from analysis.findings import find
from analysis.sources import open_source


def row(step: int, seconds: float) -> dict:
    parts = {"time/generate": seconds / 2, "time/sync": 0.0, "time/score": seconds / 10, "time/update": seconds * 0.4}
    return folder.row(step) | parts | {"time/step": seconds, "system/gpu_hours": step / 10}


def test_hours_rates_and_parts_are_those_of_the_steps_that_count(tmp_path: Path) -> None:
    rows = [row(step, 2.0) for step in range(1, 11)] + [row(step, 4.0) | {"chain/link": 1} for step in range(9, 21)]
    folder.write_chain(tmp_path / "demo", "binary", 0, rows)
    found = cost_table(open_source(str(tmp_path / "demo"))).iloc[0]
    assert found["hours"] == 2.0  # two links of an hour
    assert found["gpu_hours"] == 2.0
    assert found["step_s"] == 4.0  # 8 steps of 2 s, 12 of 4 s
    assert [found[part] for part in ("generate", "sync", "score", "update")] == pytest.approx([0.5, 0.0, 0.1, 0.4])


def test_an_arms_hours_are_the_sum_over_its_chains(tmp_path: Path) -> None:
    for seed in range(2):
        folder.write_chain(tmp_path / "demo", "binary", seed, [row(step, 3.0) for step in range(1, 21)])
    table = cost_cells(find(open_source(str(tmp_path / "demo"))))
    assert table.rows == (("binary", "2", "2.00", "4.00", "3.00", "–", "–", "50.0 %", "0.0 %", "10.0 %", "40.0 %"),)


def test_chains_that_log_no_times_cost_nothing_that_is_known(tmp_path: Path) -> None:
    folder.write_chain(tmp_path / "demo", "binary", 0, [folder.row(step, reward__train=0.5) for step in range(1, 21)])
    assert cost_cells(find(open_source(str(tmp_path / "demo")))).rows == ()
