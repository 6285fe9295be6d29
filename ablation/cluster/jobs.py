"""The record of a chain's jobs: ``jobs.json`` and, beside it, ``jobs/`` with what they read and what they print."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ablation import durable
from ablation.config import ConfigError


@dataclass(frozen=True)
class Submission:
    """The jobs of one chain that one command submitted, the head first."""

    at: str  # ISO 8601, UTC
    config: str  # the file in jobs/ that they read
    jobs: tuple[str, ...]


def job_dir(chain: Path) -> Path:
    return chain / "jobs"


def read_submissions(chain: Path) -> list[Submission]:
    """Returns what was submitted for a chain, oldest first; raises ConfigError when its record cannot be read."""
    path = chain / "jobs.json"
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text())
        return [Submission(item["at"], item["config"], tuple(map(str, item["jobs"]))) for item in content]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}), so jobs that already wait would be submitted twice; put it back, or "
            "cancel the chain's jobs with scancel and remove the file."
        ) from error


def write_submissions(chain: Path, submissions: Sequence[Submission]) -> None:
    content = json.dumps([asdict(submission) for submission in submissions], indent=1)
    durable.write_text(chain / "jobs.json", content + "\n")


def later_jobs(chain: Path, job: str) -> list[str]:
    """Returns the jobs that were submitted to follow ``job``."""
    for submission in read_submissions(chain):
        if job in submission.jobs:
            return list(submission.jobs[submission.jobs.index(job) + 1 :])
    return []


def has_log(chain: Path, job: str) -> bool:
    """Whether a job ever began to write: Slurm makes its log in ``jobs/`` before anything else."""
    return any(job_dir(chain).glob(f"{job}_*_log.*"))
