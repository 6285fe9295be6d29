"""When the job that a link runs in ends: Slurm knows it, else the configuration may."""

import logging
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)

_ASK_S = 30.0  # for Slurm's controller to answer
_LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")  # squeue's [[days-]hours:]minutes:seconds


@dataclass(frozen=True)
class JobTime:
    """Begin and end of what a link has, on ``time.monotonic()`` of its machine: clocks may jump meanwhile."""

    began_s: float
    ends_s: float | None = None  # None: no limit is known

    def left_s(self) -> float | None:
        """Seconds until the end."""
        return None if self.ends_s is None else self.ends_s - time.monotonic()


def job_time(time_min: float | None, environ: Mapping[str, str] = os.environ) -> JobTime:
    """Returns the time from now to the end of the Slurm job around, else ``time_min`` minutes from now."""
    began_s = time.monotonic()
    left_s = _slurm_left_s(environ)
    if left_s is None and time_min is not None:
        left_s = time_min * 60
    return JobTime(began_s, None if left_s is None else began_s + left_s)


def _slurm_left_s(environ: Mapping[str, str]) -> float | None:
    """Seconds that the Slurm job around has left; None outside of one, and in one without a limit."""
    if "SLURM_JOB_ID" not in environ:
        return None
    end = environ.get("SLURM_JOB_END_TIME")  # since Slurm 23.02
    if end and end.isdigit():
        return int(end) - time.time()
    command = ["squeue", "--noheader", "--jobs", environ["SLURM_JOB_ID"], "--format", "%L"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("Slurm does not say when job %s ends (%s).", environ["SLURM_JOB_ID"], error)
        return None
    return seconds_left(said)


def seconds_left(said: str) -> float | None:
    """Returns squeue's ``[[days-]hours:]minutes:seconds`` in seconds; None for any word, as UNLIMITED."""
    match = _LEFT.fullmatch(said)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
