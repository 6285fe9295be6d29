"""What one job of a chain does: it is the supervisor of one link, and settles what its successors need to do.

Of a job of several tasks, a rank each, the first is the supervisor, and the others follow it.
"""

import os
import sys
import time
from pathlib import Path

import ablation
from ablation import config as configuration
from ablation.cluster import slurm
from ablation.cluster.jobs import job_dir, later_jobs
from ablation.composing import report_config_errors
from ablation.config import Config, ConfigError
from ablation.training.chain import chain_dir, read_record
from ablation.training.job_time import job_time
from ablation.training.links import AUTOMATIC
from ablation.training.meeting import Meeting, Tasks
from ablation.training.supervisor import ChainResult, run_chain

FAILED = 1


def run(config_file: str, command: str, code: str, restarts: int, *, successor: bool) -> None:
    """Runs the next link of the chain that ``config_file`` describes; exits by how that went.

    ``code``: the package's folder when the job was submitted. ``restarts``: how often the job may requeue itself.
    """
    with report_config_errors():
        _refuse_other_code(code)
        config = configuration.load(config_file)
        chain = chain_dir(config)
        restarted = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        if successor or restarted:
            os.environ[AUTOMATIC] = "1"
        meeting = _meeting(config, chain, restarted)
        if meeting is not None and not meeting.is_main:
            sys.exit(FAILED if meeting.follow(chain, job_time(config.cluster.time_min)).status == "failed" else 0)
        try:
            result = run_chain(config, command, meeting)
        finally:
            if meeting is not None:
                meeting.close()
    over = _why_over(result, chain)
    if over:
        _cancel_later(chain, over)
    elif restarted < restarts:
        _requeue(restarts - restarted)
    if not result.ok and result.status != "stopped":
        sys.exit(FAILED)


def _meeting(config: Config, chain: Path, restarted: int) -> Meeting | None:
    """Where the tasks of this job meet; None for a chain of one rank."""
    ranks, environ = config.cluster.ranks, os.environ
    if ranks == 1:
        return None
    tasks = Tasks(
        int(environ["SLURM_PROCID"]),
        int(environ["SLURM_NTASKS"]),
        int(environ["SLURM_LOCALID"]),
        ranks // config.cluster.nodes,
    )
    if tasks.total != ranks:
        raise ConfigError(
            f"Slurm started {tasks.total} tasks for cluster.ranks={ranks}; remove what sets their number from "
            "cluster.sbatch, and submit it again."
        )
    return Meeting(job_dir(chain) / f"ranks-{environ['SLURM_JOB_ID']}-{restarted}", tasks)


def _refuse_other_code(code: str) -> None:
    here = str(Path(ablation.__file__).parent)
    if here != code:
        raise configuration.ConfigError(
            f"the job was submitted with the code in {code}, but here python finds {here}; unset what changes "
            "PYTHONPATH in cluster.setup, cluster.env or cluster.container, and submit it again."
        )


def _why_over(result: ChainResult, chain: Path) -> str:
    """Why the chain needs no further job by itself; empty when it does."""
    if result.ok:
        return f"{result.arm}-s{result.seed} is complete"
    return read_record(chain).given_up


def _cancel_later(chain: Path, why: str) -> None:
    waiting = list(slurm.queued(later_jobs(chain, os.environ["SLURM_JOB_ID"])))
    if waiting:
        problem = slurm.cancel(waiting)
        outcome = f"could not be cancelled ({problem}) and will end at once" if problem else "are cancelled"
        print(f"{why}: jobs {', '.join(waiting)} {outcome}.", flush=True)


def _requeue(left: int) -> None:
    print(f"The chain is not complete: this job requeues itself, {left} more times at most.", flush=True)
    problem = slurm.requeue_this_job()
    if problem:
        print(f"error: it could not ({problem}); type the same command again.", file=sys.stderr, flush=True)
        return
    time.sleep(60)  # Slurm ends this process
