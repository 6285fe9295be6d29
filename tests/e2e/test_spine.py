"""The commands of the README, end to end: train, evaluate, report."""

import hashlib
import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from ablation import config as configuration
from ablation import metrics
from ablation.config import ConfigError
from ablation.evaluate import _fixed_step, subjects_of
from ablation.scoring.rewards import REWARDS
from analysis.history_plain import parse_plain
from analysis.sources import run_folder
from tests.conftest import command
from tests.e2e.conftest import TINY, Trained

pytestmark = pytest.mark.xdist_group("training")
EVERY_STEP = [value for name, value in vars(metrics).items() if name.isupper() and "/" in str(value)]
EVERY_STEP = [name for name in EVERY_STEP if isinstance(name, str) and not name.startswith(("eval/", "train/"))]


def rows(chain: Path) -> list[dict]:
    return [json.loads(line) for line in (chain / "history.jsonl").read_text().splitlines()]


def rollouts(chain: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted((chain / "rollouts").glob("*.parquet"))])


def weights(chain: Path, step: int) -> str:
    content = (chain / "checkpoints" / f"checkpoint-{step}" / "model.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


@pytest.mark.training
@pytest.mark.parametrize("arm", ["binary", "shaped"])
def test_every_step_has_one_row_with_every_metric(study: Trained, arm: str):
    logged = rows(study.folder / f"{arm}-s0")
    assert [row["step"] for row in logged] == [1, 2, 3, 4]
    for row in logged:
        assert set(EVERY_STEP) <= set(row), set(EVERY_STEP) - set(row)
        assert any(name.startswith("train/") for name in row)
    for before, row in pairwise(logged):
        trained = row["system/tokens_trained_per_s"] * row["time/update"]
        assert trained == pytest.approx(row["train/num_tokens"] - before["train/num_tokens"])
        parts = [row[f"time/{part}"] for part in ("generate", "sync", "score", "update")]
        assert sum(parts) == pytest.approx(row["time/step"])
    assert parse_plain((study.folder / f"{arm}-s0" / "history.jsonl").read_bytes()), "it is read the slow way"


@pytest.mark.training
def test_rollouts_hold_every_reward_and_agree_with_the_history(study: Trained):
    for arm in ("binary", "shaped"):
        samples = rollouts(study.folder / f"{arm}-s0")
        assert len(samples) == 4 * 48
        assert {f"reward/{name}" for name in REWARDS} <= set(samples.columns)
        for row in rows(study.folder / f"{arm}-s0"):
            of_step = samples[samples["step"] == row["step"]]
            assert of_step[f"reward/{arm}"].mean() == pytest.approx(row["reward/train"], abs=1e-12)
            assert of_step["pass_ratio"].mean() == pytest.approx(row["score/pass_ratio"], abs=1e-12)
            # TRL averages the same rewards on its own, in single precision.
            assert row["train/reward"] == pytest.approx(row["reward/train"], abs=1e-6)


@pytest.mark.training
def test_arms_share_prompts_at_every_step_and_samples_until_their_weights_part(study: Trained):
    binary, shaped = rollouts(study.folder / "binary-s0"), rollouts(study.folder / "shaped-s0")
    assert binary["task_id"].tolist() == shaped["task_id"].tolist()
    first = binary["step"] == 1
    assert binary[first]["completion"].tolist() == shaped[first.to_numpy()]["completion"].tolist()


@pytest.mark.training
def test_candidates_lie_on_the_grid_and_training_moved_them(study: Trained):
    for arm in ("binary", "shaped"):
        names = sorted(path.name for path in (study.folder / f"{arm}-s0" / "checkpoints").iterdir())
        assert names == [f"checkpoint-{step}" for step in (1, 2, 3, 4)]
    # The learning rate is 0 at the first step of the warm-up; from then on every step moves the weights. Without
    # that, the tests that compare weights bit by bit would compare the base model with itself.
    assert len({weights(study.folder / "shaped-s0", step) for step in (1, 2, 3, 4)}) == 4


@pytest.mark.training
def test_the_sweep_ends_with_a_table_of_its_chains(study: Trained):
    assert re.search(r"^binary\s+0\s+complete\s+4/4\s", study.printed, re.MULTILINE)
    assert re.search(r"^shaped\s+0\s+complete\s+4/4\s", study.printed, re.MULTILINE)


@pytest.mark.training
def test_the_same_command_again_does_nothing_and_says_so(study: Trained):
    before = weights(study.folder / "binary-s0", 4)
    ended = command("ablation.run", "-m", "reward=binary,shaped", "study=spine", *TINY, cwd=study.cwd)
    assert ended.returncode == 0, ended.stderr
    assert "Nothing to do: every chain is complete." in ended.stdout
    assert len(rows(study.folder / "binary-s0")) == 4
    assert weights(study.folder / "binary-s0", 4) == before


@pytest.mark.training
def test_a_scientific_change_under_the_same_name_is_refused_before_anything_starts(study: Trained):
    ended = command(
        *("ablation.run", "-m", "reward=binary,shaped", "study=spine", *TINY, "grpo.learning_rate=0.1"), cwd=study.cwd
    )
    assert ended.returncode == 2
    assert "grpo.learning_rate=0.0002 (now 0.1)" in ended.stderr
    assert "study=spine_2" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.training
def test_evaluation_and_report(study: Trained, chromium: str):
    first = command("ablation.evaluate", "runs/spine", cwd=study.cwd)
    assert first.returncode == 0, first.stderr
    again = command("ablation.evaluate", "spine", cwd=study.cwd)
    assert re.search(r"(\d+) models to evaluate, \1 cached", again.stdout), again.stdout
    for split in ("validation", "test"):
        scores = pd.concat([pd.read_parquet(path) for path in (study.folder / "evaluation" / split).glob("*.parquet")])
        assert set(scores["split"]) == {split}
        counts = scores.groupby(["subject", "mode"]).size().unstack()
        assert set(counts["sampled"]) == {6 * 3}
        assert set(counts["greedy"]) == {6}
    report = command("analysis.report", cwd=study.cwd)
    assert report.returncode == 0, report.stderr
    best = json.loads((study.folder / "report" / "best.json").read_text())
    assert set(best["arms"]) == {"binary", "shaped"}
    for arm in best["arms"].values():
        assert (study.cwd / arm["shipped"]["checkpoint"] / "model.safetensors").exists()
    figures = drawn_figures(chromium, study.folder / "report" / "report.html", study.cwd)
    assert len(figures) >= 4
    assert all(width > 300 and height > 100 and paths > 10 for width, height, paths in figures)


@pytest.mark.training
def test_a_fixed_step_is_evaluated_beside_pick_and_last(study: Trained):
    config = configuration.load(study.folder / "shaped-s0" / "config.yaml")
    found = run_folder.read(str(study.folder))

    def steps(step: int | None) -> set[int | None]:
        return {subject.step for subject in subjects_of(found, step=step)[0] if "fixed" in subject.roles}

    assert steps(None) == {2}  # half of the four saved ones
    assert steps(3) == {3}
    assert steps(0) == set()
    assert "shaped-s0 has no checkpoint of step 9: its last is of 4." in subjects_of(found, step=9)[1]
    config.chain.save_every, config.evaluation.step = 5, 7
    with pytest.raises(ConfigError, match=r"is not on the save grid of every 5 steps; type --step 5, or --step 0"):
        _fixed_step(config)


@pytest.mark.long
@pytest.mark.training
def test_a_broken_candidate_is_named_and_the_others_are_evaluated(study: Trained, tmp_path: Path):
    copy = tmp_path / "runs" / "spine"
    shutil.copytree(study.folder, copy, ignore=shutil.ignore_patterns("evaluation", "report", "resume"))
    for step in (2, 3, 4):  # whichever is picked
        (copy / "shaped-s0" / "checkpoints" / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"torn")
    ended = command("ablation.evaluate", "spine", cwd=tmp_path)
    assert ended.returncode == 1
    assert "shaped-s0@4 could not be evaluated" in ended.stderr
    assert list((copy / "evaluation" / "test").glob("binary-s0@4.parquet"))
    assert not list((copy / "evaluation" / "test").glob("shaped-s0@4.parquet"))


def drawn_figures(chromium: str, report: Path, scratch: Path) -> list[list[float]]:
    """Returns width, height and number of paths of every figure, as a headless browser lays the page out."""
    probe = (
        "<script>document.documentElement.dataset.figures = JSON.stringify("
        "[...document.querySelectorAll('figure svg')].map(e => { const r = e.getBoundingClientRect();"
        " return [r.width, r.height, e.querySelectorAll('path').length]; }))</script>"
    )
    page = scratch / "probed.html"
    page.write_text(report.read_text() + probe)
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --window-size=1200,2000"
    ended = subprocess.run(
        [chromium, *flags.split(), f"--user-data-dir={scratch / 'browser'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'data-figures="([^"]*)"', ended.stdout)
    assert found is not None, ended.stdout[:500]
    return json.loads(found[1])
