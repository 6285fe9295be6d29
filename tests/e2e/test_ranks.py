"""Chains that several processes train together: one batch, one history, and all end when one does."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from ablation import metrics
from tests.conftest import command
from tests.e2e.commands import logged_steps, process_of_rank, start, wait_until, with_base
from tests.e2e.conftest import TINY, Trained
from tests.e2e.test_interruptions import assert_equal_chains
from tests.e2e.test_spine import rollouts, rows

pytestmark = [pytest.mark.training, pytest.mark.long, pytest.mark.xdist_group("training")]

TWO = ("ablation.run", "reward=shaped", *TINY, "grpo.train_batch_size=32", "cluster.ranks=2")


@pytest.fixture(scope="module")
def undisturbed(study: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a chain of two ranks."""
    cwd = with_base(study, tmp_path_factory.mktemp("ranks"))
    ended = command(*TWO, "study=two", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return cwd / "runs" / "two" / "shaped-s0"


def test_a_row_is_of_the_batch_of_all_ranks(undisturbed: Path):
    logged, samples = rows(undisturbed), rollouts(undisturbed)
    assert [row["step"] for row in logged] == [1, 2, 3, 4]
    for row in logged:
        of_step = samples[samples["step"] == row["step"]]
        assert sorted(zip(of_step["group"], of_step["sample"], strict=True)) == [
            (g, s) for g in range(4) for s in range(8)
        ]
        assert of_step.groupby("group")["task_id"].nunique().tolist() == [1, 1, 1, 1]
        assert row[metrics.REWARD_TRAIN] == pytest.approx(of_step["reward/shaped"].mean())
        # TRL's own mean of the rewards that its ranks gathered
        assert row["train/reward"] == pytest.approx(row[metrics.REWARD_TRAIN], abs=1e-6)
    # Ranks draw apart: not the same completions twice.
    halves = [set(samples[samples["group"].isin(groups)]["completion"]) for groups in ((0, 1), (2, 3))]
    assert len(halves[0] & halves[1]) < min(map(len, halves)) / 2


def test_a_state_holds_what_every_rank_resumes_from(undisturbed: Path):
    state = undisturbed / "resume" / "checkpoint-4"
    of_ranks = [torch.load(state / f"rng_state_{rank}.pth", weights_only=False)["cpu"] for rank in (0, 1)]
    assert not torch.equal(*of_ranks)


def test_a_rank_that_dies_ends_the_link_and_the_next_one_goes_on_exactly(
    undisturbed: Path, study: Trained, tmp_path: Path
):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "one_dies" / "shaped-s0"
    process = start(cwd, *TWO, "study=one_dies")
    wait_until(lambda: logged_steps(chain) >= 3)
    process_of_rank("one_dies", 1).kill()
    died = time.monotonic()
    assert process.wait(60) == 1
    assert time.monotonic() - died < 30  # far below the patience of a collective operation
    record = json.loads((chain / "chain.json").read_text())
    assert record["links"][0]["cause"] == "rank 1 killed by SIGKILL, perhaps for lack of memory"
    ended = command(*TWO, "study=one_dies", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_equal_chains(chain, undisturbed)


def test_a_signal_stops_all_ranks_at_the_same_step(undisturbed: Path, study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "asked" / "shaped-s0"
    process = start(cwd, *TWO, "study=asked")
    wait_until(lambda: logged_steps(chain) >= 1)
    os.kill(process.pid, signal.SIGTERM)
    process.wait(60)
    record = json.loads((chain / "chain.json").read_text())
    assert (record["status"], record["links"][0]["cause"]) == ("stopped", "told to stop (SIGTERM)")
    other = command(*TWO, "study=asked", "cluster.ranks=1", cwd=cwd)
    assert other.returncode == 2
    assert "was trained by 2 ranks, but now would be by 1" in other.stderr
    assert "set cluster.ranks=2" in other.stderr


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("cluster.ranks=2", "cluster.gpus_per_node=1"), "more than the 1 GPUs of a job, and each needs one; set"),
        (("cluster.fsdp=true",), "nothing to share out with cluster.ranks=1"),
        (("cluster.ranks=3",), "on 3 ranks would cut groups of 8 apart; set it to a multiple of 24"),
        (
            ("cluster.ranks=2", "cluster.nodes=4"),
            "cannot be shared out evenly among cluster.nodes=4; set cluster.ranks=4",
        ),
    ],
)
def test_ranks_that_do_not_fit_are_refused_before_anything_starts(
    tmp_path: Path, overrides: tuple[str, ...], message: str
):
    ended = command("ablation.run", "reward=shaped", "study=odd", *overrides, cwd=tmp_path)
    assert ended.returncode == 2
    assert message in ended.stderr
