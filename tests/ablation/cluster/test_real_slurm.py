"""Sweeps on a real Slurm: submitted, cut, killed, cancelled, submitted again, and equal to an uninterrupted run."""

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.ablation.cluster.conftest import Site
from tests.ablation.tasks.hub_server import REPO, hub_of
from tests.e2e import commands
from tests.e2e.commands import logged_steps, process_of_rank
from tests.e2e.test_interruptions import deterministic_history
from tests.e2e.test_spine import weights

pytestmark = [pytest.mark.slurm, pytest.mark.long, pytest.mark.xdist_group("slurm")]

PATIENCE_S = 400  # a busy machine takes a minute for a start
STEPS = 26  # more than a job of one minute makes after those that are cut before it
SWEEP = ("-m", "reward=shaped", "seed=0", f"chain.steps={STEPS}")
SUBMITTED = ("cluster=slurm", "study=cut", "cluster.account=lab", "cluster.links=2")


def wait_until(condition: Callable[[], bool]) -> None:
    commands.wait_until(condition, PATIENCE_S)


def jobs_of(chain: Path) -> list[list[str]]:
    return [submission["jobs"] for submission in json.loads((chain / "jobs.json").read_text())]


def record(chain: Path) -> dict:
    return json.loads((chain / "chain.json").read_text())


def output(chain: Path, job: str) -> str:
    return "".join(path.read_text() for path in sorted((chain / "jobs").glob(f"{job}_0_log.*")))


@dataclass(frozen=True)
class Story:
    """What became of one chain, and what its commands printed."""

    chain: Path
    reference: Path  # the same chain, trained here without any interruption
    states: dict[str, str]  # of its jobs, by the accounting
    printed: dict[str, str]  # by when the command was typed


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    """A chain whose first job is cancelled, the second killed, the third ends before its time is over, and the fourth
    hangs until Slurm ends it; the rest is left alone."""
    cluster, chain, printed = site.cluster, site.cwd / "runs" / "cut" / "shaped-s0", {}
    undisturbed = site.start(*SWEEP, "study=undisturbed")

    def type_again(when: str, time_min: int = 30) -> None:
        ended = site.type(*SWEEP, *SUBMITTED, f"cluster.time_min={time_min}")
        enough = re.search(r"is too short .* set cluster\.time_min=(\d+) or more", ended.stderr)
        if enough:  # a busy machine does not start in a minute, as the first jobs have shown
            ended = site.type(*SWEEP, *SUBMITTED, f"cluster.time_min={enough[1]}")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        printed[when] = ended.stdout

    def all_ended() -> bool:
        jobs = ",".join(jobs_of(chain)[-1])
        return cluster.run("squeue", "--noheader", f"--jobs={jobs}") == ""

    type_again("at first")
    type_again("while they wait or run")
    wait_until(lambda: logged_steps(chain) >= 3)
    cluster.run("scancel", jobs_of(chain)[0][0])
    wait_until(lambda: len(record(chain)["links"]) == 2)
    before = logged_steps(chain)
    wait_until(lambda: logged_steps(chain) >= before + 3)
    os.kill(record(chain)["links"][1]["pid"], signal.SIGKILL)
    wait_until(all_ended)
    type_again("after they ended", time_min=1)
    wait_until(lambda: len(record(chain)["links"]) == 4)
    before = logged_steps(chain)
    wait_until(lambda: logged_steps(chain) > before)
    (training,) = psutil.Process(record(chain)["links"][3]["pid"]).children()

    def held() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            training.suspend()  # again and again, as Slurm's SIGCONT before the end lets it go on
        return all_ended()

    wait_until(held)
    type_again("for the rest")
    wait_until(all_ended)
    type_again("at last")
    assert undisturbed.wait(PATIENCE_S) == 0
    states = cluster.final_states([job for jobs in jobs_of(chain) for job in jobs])
    return Story(chain, site.cwd / "runs" / "undisturbed" / "shaped-s0", states, printed)


@pytest.mark.training
def test_a_chain_of_cancelled_killed_and_timed_out_jobs_equals_an_undisturbed_one(story: Story):
    grid = range(2, STEPS + 1, 2)
    assert [weights(story.chain, step) for step in grid] == [weights(story.reference, step) for step in grid]
    assert deterministic_history(story.chain) == deterministic_history(story.reference)
    assert sorted(deterministic_history(story.chain)) == list(range(1, STEPS + 1))


@pytest.mark.training
def test_jobs_ended_as_they_were_made_to(story: Story):
    (cancelled, killed), (timed, hanging), _ = jobs_of(story.chain)
    links = record(story.chain)["links"]
    assert story.states[cancelled].startswith("CANCELLED")
    assert story.states[killed] == "FAILED"
    # It ends by itself before Slurm would cut it; on a machine that needs a minute for its start Slurm does.
    assert story.states[timed] in ("COMPLETED", "TIMEOUT")
    assert story.states[hanging] == "TIMEOUT"
    assert (links[3]["last_step"] or 0) < STEPS
    assert len(links) == 5


@pytest.mark.training
def test_a_command_submits_only_what_is_neither_waiting_nor_done(story: Story):
    first, again, _ = jobs_of(story.chain)
    assert "2 jobs submitted for 1 of 1 chains." in story.printed["at first"]
    assert f"{first[0]}-{first[1]} (2)" in story.printed["at first"]
    assert "already queued: " in story.printed["while they wait or run"]
    assert "Nothing to submit." in story.printed["while they wait or run"]
    assert (
        f"{again[0]}-{again[-1]} ({len(again)})" in story.printed["after they ended"] or len(jobs_of(story.chain)) > 2
    )
    assert re.search(r"shaped +0 +- +complete ", story.printed["at last"])


@pytest.mark.training
def test_the_job_that_completes_a_chain_cancels_those_that_follow_it(story: Story):
    finishing, later = jobs_of(story.chain)[-1]
    assert (story.states[finishing], story.states[later]) == ("COMPLETED", "CANCELLED by 0")
    assert f"shaped-s0 is complete: jobs {later} are cancelled." in output(story.chain, finishing)


@pytest.mark.parametrize(
    ("override", "message", "advice"),
    [
        ("cluster.partition=gpus", "invalid partition specified: gpus", "set cluster.partition=… (`sinfo"),
        ("cluster.account=nobody", "Invalid account or account/partition combination", "set cluster.account=…"),
    ],
)
def test_a_refusal_of_slurm_is_kept_in_one_sentence(site: Site, override: str, message: str, advice: str):
    ended = site.type("reward=shaped", "study=refused", "cluster=slurm", override)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert advice in line
    assert "Traceback" not in ended.stderr
    assert not (site.cwd / "runs" / "refused" / "shaped-s0" / "chain.json").exists()


def test_a_run_folder_that_the_nodes_do_not_see_is_named_by_the_next_command(site: Site):
    arguments = ("reward=shaped", "study=unshared", "cluster=slurm", "cluster.links=1", "runs_dir=local")
    ended = site.type(*arguments, "+cluster.sbatch.hold=true")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    chain = site.cwd / "local" / "unshared" / "shaped-s0"
    ((job,),) = jobs_of(chain)
    (site.cwd / "local").rename(site.cwd / "hidden")
    site.cluster.run("scontrol", "release", job)
    wait_until(lambda: site.cluster.states([job]).get(job) == "FAILED")
    (site.cwd / "hidden").rename(site.cwd / "local")
    again = site.type(*arguments)
    assert again.returncode == 2
    assert f"job {job} of an earlier command failed before it could write to {chain / 'jobs'}" in again.stderr
    assert "not shared between this machine and the nodes" in again.stderr


@pytest.mark.training
def test_an_offline_job_trains_what_was_downloaded_for_it_and_requeues_itself(site: Site):
    chain = site.cwd / "runs" / "requeued" / "shaped-s0"
    with hub_of({path.name: path.read_bytes() for path in site.base.iterdir()}, kind="models") as hub:
        ended = site.type(
            *("reward=shaped", "study=requeued", "chain.steps=6", "cluster=slurm"),
            *("cluster.requeue=true", "cluster.links=2", "cluster.time_min=10", f"model.path={REPO}"),
            HF_ENDPOINT=hub.url,
            HF_HOME=str(site.cwd / "hub"),
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ((job,),) = jobs_of(chain)
    wait_until(lambda: logged_steps(chain) >= 1)
    os.kill(record(chain)["links"][0]["pid"], signal.SIGTERM)  # as a preemption does
    state = ("squeue", "--noheader", "--format=%T", f"--jobs={job},{job}")
    wait_until(lambda: site.cluster.run(*state) == "PENDING")
    site.cluster.run("scontrol", "update", f"jobid={job}", "starttime=now")  # instead of Slurm's two minutes
    wait_until(lambda: site.cluster.run(*state) == "")
    assert record(chain)["status"] == "complete"
    assert len(record(chain)["links"]) == 2
    assert "this job requeues itself, 1 more times at most" in output(chain, job)


@pytest.mark.training
def test_a_chain_that_fails_twice_at_the_same_step_cancels_its_further_jobs_and_says_why(site: Site):
    chain = site.cwd / "runs" / "hopeless" / "shaped-s0"
    chain.mkdir(parents=True)
    (chain / "checkpoints").write_text("a file where a folder must be")
    ended = site.type("reward=shaped", "study=hopeless", "cluster=slurm", "cluster.links=4", "cluster.time_min=30")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (jobs,) = jobs_of(chain)
    listed = f"--jobs={','.join(jobs)}"
    wait_until(lambda: site.cluster.run("squeue", "--noheader", listed) == "")
    states = site.cluster.final_states(jobs)
    assert [states[job].split()[0] for job in jobs] == ["FAILED", "FAILED", "CANCELLED", "CANCELLED"]
    assert len(record(chain)["links"]) == 2
    why = "links 0 and 1 both failed after step"
    assert re.search(f"{why}.*: jobs {jobs[2]}, {jobs[3]} are cancelled", output(chain, jobs[1]))


def test_without_slurm_the_command_says_what_to_load(site: Site):
    ended = site.type("reward=shaped", "cluster=slurm", "study=none", PATH="/nonexistent")
    assert ended.returncode == 2
    assert "needs Slurm's sbatch, srun, squeue, scancel, not found on PATH" in ended.stderr


@pytest.mark.training
def test_the_tasks_of_a_job_are_the_ranks_of_a_link_and_a_task_that_fails_ends_it(site: Site):
    two = ("reward=shaped", "chain.steps=4", "cluster.ranks=2")
    here = site.start(*two, "study=ranks_here")
    chain = site.cwd / "runs" / "ranks" / "shaped-s0"
    ended = site.type(*two, "study=ranks", "cluster=slurm", "cluster.links=2")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ((first, second),) = jobs_of(chain)
    wait_until(lambda: logged_steps(chain) >= 3)
    process_of_rank("ranks", 1).kill()
    wait_until(lambda: site.cluster.run("squeue", "--noheader", f"--jobs={first},{second}") == "")
    assert site.cluster.final_states([first, second]) == {first: "FAILED", second: "COMPLETED"}
    links = record(chain)["links"]
    assert [link["cause"] for link in links] == ["rank 1 killed by SIGKILL, perhaps for lack of memory", "complete"]
    assert here.wait(PATIENCE_S) == 0
    reference = site.cwd / "runs" / "ranks_here" / "shaped-s0"
    assert [weights(chain, step) for step in (2, 4)] == [weights(reference, step) for step in (2, 4)]
    assert deterministic_history(chain) == deterministic_history(reference)
