import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablation.training import checkpoints

SOME = b"x" * 1000
FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def state(resume: Path, step: int, *, without: str = "") -> None:
    def write(folder: Path) -> None:
        for name in FILES:
            if name != without:
                (folder / name).write_bytes(SOME)

    checkpoints.write_state(resume, step, write)


def test_only_the_newest_two_states_are_kept(tmp_path):
    for step in (10, 20, 100):
        state(tmp_path, step)
    assert checkpoints.saved_steps(tmp_path) == [20, 100]
    assert checkpoints.latest_state(tmp_path) == (100, tmp_path / "checkpoint-100")


@pytest.mark.parametrize("damage", ["missing", "shortened", "changed"])
def test_a_damaged_state_is_set_aside_and_the_one_before_is_used(tmp_path, damage, caplog):
    state(tmp_path, 10)
    state(tmp_path, 20)
    victim = tmp_path / "checkpoint-20" / "optimizer.pt"
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(SOME[:-1] if damage == "shortened" else SOME[:-1] + b"y")
    assert checkpoints.latest_state(tmp_path) == (10, tmp_path / "checkpoint-10")
    assert "optimizer.pt" in caplog.text
    assert (tmp_path / "bad-checkpoint-20").is_dir()


@pytest.mark.parametrize("missing", FILES)
def test_a_state_without_a_file_that_the_trainer_would_not_miss_is_never_written_or_used(tmp_path, missing):
    state(tmp_path, 10)
    with pytest.raises(RuntimeError, match="written without"):
        state(tmp_path, 20, without=missing)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]
    manifest = tmp_path / "checkpoint-10" / "manifest.json"
    files = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({name: digest for name, digest in files.items() if name != missing}))
    assert checkpoints.latest_state(tmp_path) is None


@pytest.mark.parametrize("manifest", ["", "{}", "[1]", '{"optimizer.pt"'])
def test_a_state_with_a_torn_or_empty_manifest_is_not_used(tmp_path, manifest):
    state(tmp_path, 10)
    (tmp_path / "checkpoint-10" / "manifest.json").write_text(manifest)
    assert checkpoints.latest_state(tmp_path) is None


def test_what_a_killed_writer_left_is_removed_and_a_bad_state_once_a_newer_one_is_valid(tmp_path):
    for step in (10, 20):
        state(tmp_path, step)
    (tmp_path / "checkpoint-20" / "optimizer.pt").unlink()
    for name in (".checkpoint-13.partial", ".checkpoint-5.replaced"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_bytes(SOME)
    checkpoints.drop_leftovers(tmp_path)
    checkpoints.latest_state(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad-checkpoint-20", "checkpoint-10"]
    state(tmp_path, 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-20"]


def test_a_folder_is_complete_or_absent_when_the_writer_is_killed(tmp_path):
    final = tmp_path / "checkpoint-5"
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom ablation.training.checkpoints import write_folder\n"
        "def write(folder):\n    (folder / 'half').write_text('x')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_folder(Path({str(final)!r}), write)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -9
    assert checkpoints.saved_steps(tmp_path) == []
    checkpoints.write_folder(final, lambda folder: (folder / "whole").write_text("y"))
    assert [path.name for path in final.iterdir()] == ["whole"]


def test_a_rewritten_folder_replaces_the_old_one(tmp_path):
    final = tmp_path / "checkpoint-5"
    checkpoints.write_folder(final, lambda folder: (folder / "old").write_text("1"))
    checkpoints.write_folder(final, lambda folder: (folder / "new").write_text("2"))
    assert [path.name for path in final.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def fill_plainly(device: Path) -> None:
    with device.open("wb", buffering=0) as full:
        full.write(SOME)


def fill_with_torch(device: Path) -> None:
    torch.save(torch.zeros(1000), device)


@pytest.mark.parametrize("fill", [fill_plainly, fill_with_torch])
def test_no_space_leaves_the_previous_checkpoint_valid_and_says_what_to_do(tmp_path, fill):
    def write(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(SOME)
        fill(Path("/dev/full"))  # answers as a full disk does

    state(tmp_path, 10)
    with pytest.raises(checkpoints.DiskFullError, match="free some space and run the same command again"):
        checkpoints.write_state(tmp_path, 20, write)
    assert checkpoints.latest_state(tmp_path) == (10, tmp_path / "checkpoint-10")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]
