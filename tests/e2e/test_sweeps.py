"""Sweeps and processes: Ctrl-C, failures, kills, two at once."""

import json
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.conftest import command
from tests.e2e.commands import logged_steps, start, wait_until, with_base
from tests.e2e.conftest import TINY, Trained

pytestmark = pytest.mark.xdist_group("training")


@pytest.mark.training
@pytest.mark.parametrize("side_by_side", [pytest.param(1, marks=pytest.mark.long), 2])
def test_ctrl_c_on_a_sweep_saves_every_running_chain_and_starts_no_other(
    study: Trained, tmp_path: Path, side_by_side: int
):
    cwd = with_base(study, tmp_path)
    sweep = ("ablation.run", "-m", "reward=binary,shaped", "seed=0,1", "study=cut", *TINY, "chain.steps=400")
    with (cwd / "printed").open("w") as printed:
        process = start(cwd, *sweep, f"hydra.launcher.n_jobs={side_by_side}", stdout=printed)
    running = [cwd / "runs" / "cut" / f"binary-s{seed}" for seed in range(side_by_side)]
    wait_until(lambda: all(logged_steps(chain) >= 1 for chain in running))
    os.killpg(process.pid, signal.SIGINT)  # what a terminal sends
    assert process.wait(60) == 1
    assert [json.loads((chain / "chain.json").read_text())["status"] for chain in running] == ["stopped"] * side_by_side
    assert all((chain / "resume" / f"checkpoint-{logged_steps(chain)}").is_dir() for chain in running)
    assert not (cwd / "runs" / "cut" / "shaped-s0" / "chain.json").exists()
    table = [line.split()[:3] for line in (cwd / "printed").read_text().splitlines()]
    assert [row[2] for row in table if row[:1] in (["binary"], ["shaped"])] == ["stopped"] * 4


@pytest.mark.training
@pytest.mark.long
def test_one_failed_chain_neither_stops_nor_hides_the_others(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    blocked = cwd / "runs" / "mixed" / "shaped-s0"
    blocked.mkdir(parents=True)
    (blocked / "checkpoints").write_text("a file where a folder must be")
    ended = command("ablation.run", "-m", "reward=shaped,binary", "study=mixed", *TINY, cwd=cwd)
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert any(line.split()[:3] == ["binary", "0", "complete"] for line in lines)
    assert any(line.split()[:3] == ["shaped", "0", "failed"] for line in lines)
    assert any(line.startswith("shaped-s0 failed: ") and "checkpoints" in line for line in lines)


@pytest.mark.long
@pytest.mark.training
def test_training_dies_with_its_supervisor(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "orphan" / "shaped-s0"
    process = start(cwd, "ablation.run", "reward=shaped", "study=orphan", *TINY, "chain.steps=400")
    wait_until(lambda: logged_steps(chain) >= 1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2  # the link and its scoring worker at least
    process.kill()
    process.wait(10)
    _, alive = psutil.wait_procs(children, timeout=10)
    # wandb-core ends by itself a little later; training and scoring must be gone.
    assert [child for child in alive if "wandb" not in " ".join(child.cmdline())] == []


@pytest.mark.long
@pytest.mark.training
def test_a_link_that_is_killed_is_reported_with_the_signal(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    with (cwd / "printed").open("w") as printed:
        process = start(cwd, "ablation.run", "reward=shaped", "study=killed", *TINY, stdout=printed)
    wait_until(lambda: logged_steps(cwd / "runs" / "killed" / "shaped-s0") >= 1)
    (link,) = [c for c in psutil.Process(process.pid).children() if "ablation.training.link" in c.cmdline()]
    link.kill()
    assert process.wait(30) == 1
    assert "shaped-s0 failed: killed by SIGKILL" in (cwd / "printed").read_text()


@pytest.mark.training
def test_a_finished_chain_that_lost_a_candidate_is_not_called_complete(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    shutil.copytree(study.folder, cwd / "runs" / "spine")
    shutil.rmtree(cwd / "runs" / "spine" / "shaped-s0" / "checkpoints" / "checkpoint-2")
    ended = command("ablation.run", "reward=shaped", "study=spine", *TINY, cwd=cwd)
    assert ended.returncode == 2
    assert "lacks the candidates of steps 2" in ended.stderr


@pytest.mark.training
def test_a_second_process_on_the_same_chain_is_refused(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "busy" / "shaped-s0"
    arguments = ("ablation.run", "reward=shaped", "study=busy", *TINY, "chain.steps=400")
    process = start(cwd, *arguments)
    try:
        wait_until(lambda: (chain / "chain.json").exists())
        ended = command(*arguments, cwd=cwd)
        assert ended.returncode == 2
        assert "is being trained by another process" in ended.stderr
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
