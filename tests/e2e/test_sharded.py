"""Chains whose weights lie in pieces on their ranks (FSDP2): they train as others do, resume, and save whole models."""

import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ROOT, command
from tests.e2e.commands import logged_steps, start, wait_until, with_base
from tests.e2e.conftest import TINY, Trained
from tests.e2e.test_interruptions import assert_equal_chains
from tests.e2e.test_spine import rows

pytestmark = [pytest.mark.training, pytest.mark.long, pytest.mark.xdist_group("training")]

TWO = ("ablation.run", "reward=shaped", *TINY, "grpo.train_batch_size=32", "grpo.warmup_steps=0", "cluster.ranks=2")
SHARDED = (*TWO, "cluster.fsdp=true")
ON_CPUS = {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "e2e" / "sharding"), str(ROOT)])}


@pytest.fixture(scope="module")
def cwd(study: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_base(study, tmp_path_factory.mktemp("sharded"))


@pytest.fixture(scope="module")
def sharded(cwd: Path) -> Path:
    """The folder of a chain of two ranks that share its weights out."""
    ended = command(*SHARDED, "study=sharded", cwd=cwd, **ON_CPUS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return cwd / "runs" / "sharded" / "shaped-s0"


def test_it_trains_what_ranks_with_whole_weights_train(sharded: Path, cwd: Path):
    ended = command(*TWO, "study=whole", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    whole = cwd / "runs" / "whole" / "shaped-s0"
    assert "fsdp" in (sharded / "logs" / "link-0.log").read_text()
    assert "fsdp" not in (whole / "logs" / "link-0.log").read_text()
    for one, other in zip(rows(sharded), rows(whole), strict=True):
        for name in ("reward/train", "score/pass_ratio", "eval/pass_ratio", "train/loss", "train/grad_norm"):
            assert one[name] == pytest.approx(other[name], abs=1e-4), (one["step"], name)
    saved = [load_file(chain / "checkpoints" / "checkpoint-4" / "model.safetensors") for chain in (sharded, whole)]
    assert set(saved[0]) == set(saved[1])  # what is tied is saved once
    for name, weight in saved[0].items():
        torch.testing.assert_close(weight, saved[1][name], atol=1e-5, rtol=0)


def test_a_killed_chain_goes_on_exactly(sharded: Path, cwd: Path):
    chain = cwd / "runs" / "killed" / "shaped-s0"
    process = start(cwd, *SHARDED, "study=killed", PYTHONPATH=ON_CPUS["PYTHONPATH"])
    wait_until(lambda: logged_steps(chain) >= 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    ended = command(*SHARDED, "study=killed", cwd=cwd, **ON_CPUS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_equal_chains(chain, sharded)


def test_without_gpus_it_is_refused(cwd: Path):
    ended = command(*SHARDED, "study=refused", cwd=cwd)
    assert ended.returncode == 2
    assert "cluster.fsdp=true needs a GPU for each rank, and none is here" in ended.stderr
