"""Files that something else wrote or changed: a sentence for each, the rest of the result, and no wrong number."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import study_folder as folder

from analysis import report
from analysis.findings import find
from analysis.plots import curve_names
from analysis.selection import Pick, ship
from analysis.sources import open_source

TWICE = "are in it twice"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return folder.write_study(tmp_path / "demo", seeds=3, steps=40)


def scores(study: Path, name: str) -> tuple[Path, pd.DataFrame]:
    path = next((study / "evaluation" / "validation").glob(f"{name}@*.parquet"))
    return path, pd.read_parquet(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: pd.concat([frame, frame[frame["solved"]]]), TWICE),
        (lambda frame: frame.assign(pass_ratio=7.0), "not between 0 and 1"),
        (lambda frame: frame.assign(step=None), "no arm, seed or step"),
    ],
)
def test_held_out_files_that_nothing_may_be_said_of_are_left_out(
    study: Path, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    path, frame = scores(study, "binary-s0")
    change(frame).to_parquet(path, index=False)
    found = find(open_source(str(study)))
    assert any(path.name in problem and said in problem for problem in found.problems)
    assert "binary-s0" not in " ".join(found.held_out[found.held_out["split"] == "validation"]["subject"])


def test_a_second_file_of_one_checkpoint_is_left_out_and_ships_nothing(study: Path) -> None:
    before = find(open_source(str(study))).best["arms"]["binary"]["shipped"]
    path, frame = scores(study, "binary-s0")
    frame.assign(subject="old", solved=True, pass_ratio=1.0).to_parquet(path.with_name("zz-old.parquet"), index=False)
    found = find(open_source(str(study)))
    assert found.best["arms"]["binary"]["shipped"] == before
    assert any("zz-old.parquet repeats binary-s0@" in problem for problem in found.problems)


def validation(*rows: tuple[int, str, float | None, float | None]) -> pd.DataFrame:
    """(seed, task, solved, pass ratio) at step 10."""
    table = pd.DataFrame(rows, columns=["seed", "task_id", "solved", "pass_ratio"])
    return table.assign(split="validation", step=10)


PICKS = {seed: Pick(10, 0.5) for seed in range(3)}


def test_the_seed_that_ships_is_chosen_on_tasks_that_all_have() -> None:
    rows = validation((0, "easy", 1, 1), (1, "easy", 1, 1), (1, "hard", 0, 0), (2, "easy", 1, 0.9), (2, "hard", 0, 0))
    assert ship(rows, PICKS) == 0  # equal to seed 1 on the task of all, and the lowest of equals
    assert ship(pd.concat([rows, validation((0, "hard", 0, 0), (1, "new", 1, 1))]), PICKS) == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_missing_second_score_ranks_last_in_any_order(order: tuple[int, ...]) -> None:
    ratios = {0: 0.2, 1: None, 2: 0.9}
    assert ship(validation(*((seed, "a", 0.5, ratios[seed]) for seed in order)), PICKS) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"step": 1e300, "reward/train": 1}', "where a whole number is expected"),
        ('{"step": -5, "chain/link": 1, "reward/train": 1}', "where a whole number is expected"),
        ('{"step": 41, "chain/link": "zero", "reward/train": 0.5}', "chain/link is not a number"),
        ('{"step": 41, "chain/link": 0, "reward/train": 0.5, "\\ud800": 1}', "? is not a number"),
    ],
)
def test_an_odd_row_costs_no_other(study: Path, line: str, said: str) -> None:
    path = study / "binary-s0" / "history.jsonl"
    path.write_text(path.read_text() + line + "\n")
    found = open_source(str(study)).history
    assert any(said in problem for problem in found.problems)
    kept = found.frame[(found.frame["arm"] == "binary") & (found.frame["seed"] == 0)]
    assert set(range(1, 41)) <= set(kept["step"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chain.json", {"links": 5}),
        ("chain.json", {"links": [None]}),
        ("chain.json", {"seed": 10**30}),
        ("config.yaml", {"chain": 5}),
        ("config.yaml", {"chain": {"save_every": "five"}}),
        ("config.yaml", {"selection": {"span": 0}}),
    ],
)
def test_a_chain_with_odd_records_is_left_out_and_the_others_kept(study: Path, name: str, content: Any) -> None:
    path = study / "binary-s0" / name
    kept = json.loads(path.read_text()) if name == "chain.json" else {"study": "demo", "arm": "binary", "seed": 0}
    path.write_text(json.dumps(kept | content))
    found = open_source(str(study))
    assert [chain.name for chain in found.chains] == ["binary-s1", "binary-s2", "shaped-s0", "shaped-s1", "shaped-s2"]
    assert any("binary-s0" in problem for problem in found.history.problems)


@pytest.mark.parametrize("change", [{"task_id": None}, {"solved": "word"}, {"step": "word"}, {"completion": None}])
def test_odd_rollouts_are_told_and_cost_no_report(study: Path, change: dict[str, Any]) -> None:
    path = next((study / "binary-s0" / "rollouts").glob("*.parquet"))
    pd.read_parquet(path).assign(**change).to_parquet(path)
    find(open_source(str(study)))
    pd.read_parquet(path).drop(columns=list(change)).to_parquet(path)
    assert any("binary-s0" in problem and "rollouts" in problem for problem in find(open_source(str(study))).problems)


def test_a_chain_without_a_shared_score_is_named(study: Path) -> None:
    path = study / "binary-s0" / "history.jsonl"
    path.write_text(path.read_text().replace("score/solved", "score/renamed"))
    problems = find(open_source(str(study))).problems
    assert "binary-s0 logged no score/solved, which other chains did: comparisons of it leave them out." in problems


def test_arms_may_be_called_like_columns_and_their_figures_apart() -> None:
    names = curve_names(["a b", "a b-2", "a-b", "a/b"])
    assert len(set(names.values())) == 4


def test_a_report_that_fails_leaves_the_one_before(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert report.main([str(study), "--out", str(out)]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    other = folder.write_study(tmp_path / "other", seeds=4, steps=80)
    command = [sys.executable, "-m", "analysis.report", str(other), "--out", str(out)]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    ended = subprocess.run(
        command, preexec_fn=little_room, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert ended.returncode != 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_arm_named_with_control_characters_has_pictures_that_browsers_read(tmp_path: Path) -> None:
    study = tmp_path / "runs" / "odd"
    folder.write_chain(study, "be\x07ll", 0, folder.curve("binary", 0, 80))
    assert report.main([str(study)]) == 0
    pictures = sorted((study / "report" / "figures").glob("*.svg"))
    assert any("be?ll" in "".join(ElementTree.parse(path).getroot().itertext()) for path in pictures)
