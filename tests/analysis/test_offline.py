import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import study_folder
from wandb_client import log_runs, logs

from analysis import pull, report
from analysis.errors import AnalysisError
from analysis.foreign import shared_metrics
from analysis.history import series
from analysis.sources import open_source
from analysis.sources.naming import load
from analysis.sources.wandb_log import BLOCK

pytestmark = pytest.mark.xdist_group("offline")  # one worker: the fixtures are made once
LONG = 300  # steps of the run that spans several blocks


def trl(steps: range, **more: Any) -> list[dict[str, Any]]:
    return [{"train/global_step": step, "train/reward": step / 8, **more} for step in steps]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of another trainer: odd values, two links of one id, a long one, one that was killed; read only."""
    folder = tmp_path_factory.mktemp("trl")
    odd = {"nested": {"deep": {"x": 2}}, "not": float("nan"), "low": float("-inf"), "text": "words", "flag": True}
    config = {"seed": 3, "optimizer": {"lr": 1e-6, "betas": [0.9, 0.95]}}
    twice = {"project": "grpo", "id": "twice", "group": "shaped", "config": {"seed": 4}}
    again = [row | {"train/reward": -1.0} for row in trl(range(11, 21))]
    log_runs(
        folder,
        [
            {
                "init": {"project": "grpo", "id": "odd", "group": "shaped", "tags": ["t"], "config": config},
                "rows": [*trl(range(1, 3), **odd), {"completions": "no step", "loss": 1.0}],
                "late": {"optimizer": {"lr": 2e-6}, "late": 1},
            },
            {"init": twice, "rows": trl(range(1, 14)), "exit_code": 1},
            {"init": twice | {"resume": "allow", "config": {"seed": 4, "job": 2}}, "rows": again},
            {
                "init": {"project": "grpo", "id": "long", "group": "binary", "config": {"seed": 3}},
                "rows": trl(range(1, LONG + 1), **{f"m/{index}": index / 3 for index in range(20)}),
            },
            {
                "init": {"project": "grpo", "id": "killed", "group": "binary", "config": {"seed": 4}},
                "rows": trl(range(1, 31)),
                "killed": True,
            },
        ],
    )
    return folder


def test_a_folder_of_runs_is_a_study_with_arms_and_seeds(runs: Path) -> None:
    study = open_source(str(runs))
    assert study.name == "grpo"
    found = [(chain.arm, chain.seed, chain.run_id, chain.status) for chain in study.chains]
    assert found == [
        ("binary", 3, "long", "complete"),
        ("binary", 4, "killed", "unknown"),
        ("shaped", 3, "odd", "complete"),
        ("shaped", 4, "twice", "complete"),
    ]
    assert study.chains[2].tags == ("t",)


def test_the_config_is_the_last_one_without_the_clients_own_notes(runs: Path) -> None:
    chain = next(chain for chain in open_source(str(runs)).chains if chain.run_id == "odd")
    assert chain.config["seed"] == 3
    assert chain.config["late"] == 1
    assert chain.config["optimizer"]["lr"] == 2e-6
    assert "_wandb" not in chain.config


def test_odd_values_are_numbers_or_told(runs: Path) -> None:
    study = open_source(str(runs))
    frame = study.history.frame
    last = frame[(frame["run_id"] == "odd") & (frame["step"] == 2)].set_index("metric")["value"]
    assert math.isnan(last.pop("not"))
    assert last.to_dict() == {"flag": 1.0, "low": -math.inf, "nested.deep.x": 2.0, "train/reward": 0.25}
    problems = "\n".join(study.history.problems)
    assert "run-odd.wandb: 2 keys hold no numbers and were left out (completions, text)." in problems
    assert "1 rows of run odd have no whole train/global_step and were left out; they hold loss." in problems


def test_files_of_one_id_are_links_and_the_later_one_counts(runs: Path) -> None:
    study = open_source(str(runs))
    rewards = series(study.history.frame, "shaped", 4, "train/reward")
    assert rewards == {step: step / 8 if step < 11 else -1.0 for step in range(1, 21)}
    chain = next(chain for chain in study.chains if chain.run_id == "twice")
    assert [link.cause for link in chain.links] == ["exit code 1", "finished"]
    assert (chain.config["seed"], chain.config["job"]) == (4, 2)
    assert chain.links[0].start is not None
    assert chain.links[0].start < chain.links[1].start


def test_a_killed_run_keeps_what_was_flushed(runs: Path) -> None:
    rewards = series(open_source(str(runs)).history.frame, "binary", 4, "train/reward")
    assert rewards == {step: step / 8 for step in range(1, 31)}


def test_damage_and_files_that_are_none_cost_themselves_alone(runs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(runs, folder, symlinks=True)
    long = next(path for path in logs(folder) if path.name == "run-long.wandb")
    content = bytearray(long.read_bytes())
    content[BLOCK : 2 * BLOCK] = bytes(BLOCK)
    long.write_bytes(content)
    (folder / "run-none.wandb").write_text("no log")
    whole, hurt = open_source(str(runs)).history, open_source(str(folder)).history
    kept = hurt.frame[hurt.frame["run_id"] == "long"]
    assert 0.5 * LONG < kept["step"].nunique() < LONG
    others = [history.frame[history.frame["run_id"] != "long"].reset_index(drop=True) for history in (whole, hurt)]
    assert others[0].equals(others[1])
    problems = "\n".join(hurt.problems)
    assert "run-long.wandb is damaged from byte" in problems
    assert " records); the rest was kept." in problems
    assert "run-none.wandb begins with b'no log' where a W&B log begins with" in problems


def test_a_run_that_is_being_written_is_read_up_to_its_last_whole_record(runs: Path, tmp_path: Path) -> None:
    long = next(path for path in logs(runs) if path.name == "run-long.wandb")
    (tmp_path / "run-long.wandb").write_bytes(long.read_bytes()[:-3000])
    study = open_source(str(tmp_path))
    steps = set(study.history.frame["step"])
    assert steps == set(range(1, max(steps) + 1))
    assert LONG - 20 < max(steps) < LONG
    assert study.chains[0].status == "unknown"
    assert "run-long.wandb ends in the middle of a record" in study.history.problems[-1]


def test_a_copy_of_a_file_is_no_link(runs: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(runs, tmp_path / name, symlinks=True)
    twice, once = open_source(str(tmp_path)), open_source(str(runs))
    assert twice.history.frame.equals(once.history.frame)
    assert "Run twice has 2 copies of its files: the longest of each counts." in twice.history.problems


def test_a_folder_of_studies_is_not_taken_for_offline_runs(runs: Path, tmp_path: Path) -> None:
    chain = study_folder.write_chain(tmp_path / "runs" / "demo", "binary", 0, study_folder.curve("binary", 0, 3))
    shutil.copytree(runs / "wandb", chain / "wandb", symlinks=True)
    with pytest.raises(AnalysisError, match=r"runs holds no chain where .* give one of .*demo"):
        open_source(str(tmp_path / "runs"))
    assert {c.run_id for c in open_source(str(chain / "wandb")).chains} == {"odd", "twice", "long", "killed"}


def test_a_folder_without_one_readable_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "run-x.wandb").write_bytes(b"")
    assert pull.main([str(tmp_path), "--out", str(tmp_path / "x.csv")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "run-x.wandb begins with b''" in error


def test_a_mirrored_chain_reads_as_its_own_folder_does(tmp_path: Path) -> None:
    rows = [study_folder.row(step, reward__train=step / 8, score__solved=0.25) for step in range(1, 13)]
    rows += [study_folder.row(step, 1, reward__train=-1.0, score__solved=0.5) for step in range(11, 21)]
    chain = study_folder.write_chain(tmp_path / "runs" / "demo", "binary", 5, rows)
    config = {"study": "demo", "arm": "binary", "seed": 5}
    of_links = [[row for row in rows if row["chain/link"] == link] for link in (0, 1)]
    init = {"project": "p", "id": json.loads((chain / "chain.json").read_text()).get("run_id", chain.name)}
    log_runs(chain, [{"init": init | {"config": config}, "rows": of_link} for of_link in of_links])
    local, offline = open_source(str(chain.parent)), open_source(str(chain / "wandb"))
    assert len(local.history.frame) == 20 * 2
    assert local.history.frame.equals(offline.history.frame)


def test_pull_writes_the_history_of_a_folder_of_runs(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert pull.main([str(runs), "--out", str(tmp_path / "x.csv")]) == 0
    said = capsys.readouterr()
    assert "of 4 chains" in said.out
    assert "run-odd.wandb: 2 keys hold no numbers" in said.err


def test_a_report_on_runs_of_another_trainer_says_what_can_and_what_cannot_be_concluded(
    runs: Path, tmp_path: Path
) -> None:
    assert report.main([str(runs), "--out", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "4 runs logged by TRL were read" in text
    assert "The reward that shaped optimises (train/reward) goes from" in text
    assert "3 of them ended before the 300 steps of the longest and count in no comparison" in text
    assert "Which arm is better by its own reward" in text
    assert "Which arm is better on tasks that it has not seen: these runs hold no held-out scores" in text
    assert "better than" not in text
    assert "ablation.evaluate" not in text
    assert {path.name for path in (tmp_path / "report" / "figures").glob("*.svg")} == {
        "curve-binary.svg",
        "curve-shaped.svg",
    }


def test_a_naming_finds_step_reward_arm_and_seed_of_runs_that_nobody_knows(tmp_path: Path) -> None:
    plans = [
        {
            "init": {
                "project": "p",
                "id": f"{arm}{seed}",
                "name": f"{arm}-seed{seed}",
                "config": {"how": {"arm": arm}},
            },
            "rows": [{"t": step, "gain": step / 10, "val/acc": 0.5} for step in range(1, 13)],
        }
        for arm in ("a", "b")
        for seed in (7, 8)
    ]
    log_runs(tmp_path / "runs", plans)
    unknown = open_source(str(tmp_path / "runs"))
    assert unknown.arms == ("a-seed7", "a-seed8", "b-seed7", "b-seed8")
    (tmp_path / "naming.yaml").write_text(
        "step: t\nreward: gain\nshared: val/acc\narm: how.arm\nrun_name: seed(?P<seed>[0-9]+)\n"
    )
    study = open_source(str(tmp_path / "runs"), load(tmp_path / "naming.yaml"))
    assert [(c.arm, c.seed, c.reward) for c in study.chains] == [
        (arm, seed, "gain") for arm in ("a", "b") for seed in (7, 8)
    ]
    assert series(study.history.frame, "a", 7, "gain")[12] == 1.2
    assert shared_metrics(study) == ("val/acc",)


@pytest.mark.parametrize(
    ("content", "words"),
    [("stepp: t", "says stepp, which names nothing"), ("run_name: '('", "is no regular"), ("a: [", "cannot be read")],
)
def test_a_naming_that_says_nothing_is_one_sentence(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "naming.yaml").write_text(content)
    with pytest.raises(AnalysisError, match=words):
        load(tmp_path / "naming.yaml")
