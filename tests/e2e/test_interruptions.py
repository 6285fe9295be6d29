"""Links that end early: the next one goes on to the same weights and the same history, to the last bit."""

import json
import os
import signal
from pathlib import Path

import pytest

from ablation import metrics
from ablation.training.links import AUTOMATIC
from analysis.history import parse_lines, stitch
from tests.conftest import command
from tests.e2e.commands import logged_steps, start, wait_until, with_base
from tests.e2e.conftest import TINY, Trained
from tests.e2e.test_spine import rollouts, rows, weights

pytestmark = pytest.mark.xdist_group("training")  # one worker: the study is trained once


def deterministic_history(chain: Path) -> dict[int, dict[str, float]]:
    stitched = stitch(parse_lines((chain / "history.jsonl").read_bytes(), "history").rows)
    return {
        row.step: {name: value for name, value in row.values.items() if metrics.is_deterministic(name)}
        for row in stitched
    }


def assert_equal_chains(one: Path, other: Path) -> None:
    assert [weights(one, step) for step in (1, 2, 3, 4)] == [weights(other, step) for step in (1, 2, 3, 4)]
    assert deterministic_history(one) == deterministic_history(other)
    columns = ["step", "group", "sample", "task_id", "completion", "passed"]
    assert rollouts(one)[columns].to_numpy().tolist() == rollouts(other)[columns].to_numpy().tolist()


@pytest.mark.training
@pytest.mark.parametrize(
    "signal_number",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGUSR2, id="warned of the wall time", marks=pytest.mark.long),
    ],
)
def test_an_interrupted_chain_equals_an_uninterrupted_one(study: Trained, tmp_path: Path, signal_number: int):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "again" / "shaped-s0"
    arguments = ("ablation.run", "reward=shaped", "study=again", *TINY)
    process = start(cwd, *arguments)
    # A stop is honoured when the running step ends; a kill shall land between two states.
    wait_until(lambda: logged_steps(chain) >= (3 if signal_number == signal.SIGKILL else 1))
    os.killpg(process.pid, signal_number)  # as Slurm does, to every process of the group
    process.wait(60)
    if signal_number == signal.SIGUSR2:
        record = json.loads((chain / "chain.json").read_text())
        assert (record["status"], record["links"][0]["cause"]) == ("stopped", "told to stop (SIGUSR2)")
    ended = command(*arguments, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {row["chain/link"] for row in rows(chain)} == {0, 1}
    assert_equal_chains(chain, study.folder / "shaped-s0")


@pytest.mark.long
@pytest.mark.training
def test_a_job_that_is_too_short_says_so_and_after_two_of_them_no_link_follows_by_itself(
    study: Trained, tmp_path: Path
):
    cwd = with_base(study, tmp_path)
    record = cwd / "runs" / "short" / "shaped-s0" / "chain.json"
    arguments = ("ablation.run", "reward=shaped", "study=short", *TINY, "cluster.time_min=0.1")
    ended = command(*arguments, cwd=cwd)
    assert ended.returncode == 1
    assert "a job of 6.0 s is too short for one step: start-up took " in ended.stdout
    for _ in range(2):
        ended = command(*arguments, cwd=cwd, **{AUTOMATIC: "1"})
        assert ended.returncode == 1
    assert "no link follows: links 0 and 1 both failed after step 0" in ended.stdout
    assert len(json.loads(record.read_text())["links"]) == 2


@pytest.mark.long
@pytest.mark.training
def test_a_higher_number_of_steps_extends_a_finished_chain(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "longer" / "shaped-s0"
    short = ("ablation.run", "reward=shaped", "study=longer", *TINY, "chain.steps=2")
    assert command(*short, cwd=cwd).returncode == 0
    assert command(*short, "chain.steps=4", cwd=cwd).returncode == 0
    assert_equal_chains(chain, study.folder / "shaped-s0")
