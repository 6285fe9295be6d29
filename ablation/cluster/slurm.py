"""Slurm's own commands: what they know of jobs, and what they say when they refuse."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from ablation.config import ConfigError

_TIMEOUT_S = 60
# Words in a refusal of sbatch, what they are about, and what lists the values that it takes.
_ADVICE = (
    ("account", "cluster.account=…", "sacctmgr show associations user=$USER"),  # its message names partitions too
    ("partition", "cluster.partition=…", "sinfo --summarize"),
    ("qos", "cluster.qos=…", "sacctmgr show qos"),
    ("time limit", "a lower cluster.time_min=…", "sinfo"),
    ("gres", "cluster.gres=… or cluster.gpus_per_node=…", "sinfo --format='%P %G'"),
    ("node configuration", "what one node has", "sinfo --Node --long"),
)


def queued(jobs: Sequence[str]) -> dict[str, str]:
    """Returns the state of those ``jobs`` that wait or run, as {"12": "PENDING (Dependency)"}.

    Raises ConfigError when Slurm does not answer: nothing may be submitted on a guess.
    """
    if not jobs:
        return {}
    ended = _run("squeue", "--noheader", "--format=%A|%T|%r", f"--jobs={','.join(jobs)}")
    if ended.returncode:
        if "Invalid job id" in ended.stderr:  # Slurm has forgotten all of them
            return {}
        raise ConfigError(
            f"squeue does not say whether jobs {', '.join(jobs)} still wait ({said(ended.stderr)}); type the same "
            "command again when Slurm answers."
        )
    lines = [line.split("|") for line in ended.stdout.splitlines()]
    return {job: state if state != "PENDING" else f"{state} ({reason})" for job, state, reason in lines}


def accounted(jobs: Sequence[str]) -> dict[str, str]:
    """Returns how ``jobs`` stand or ended by the accounting, as {"12": "TIMEOUT"}; empty where there is none."""
    if not jobs or shutil.which("sacct") is None:
        return {}
    ended = _run("sacct", "-X", "-n", "-P", "-o", "JobIDRaw,State", f"--jobs={','.join(jobs)}")
    return dict(line.split("|", 1) for line in ended.stdout.splitlines()) if ended.returncode == 0 else {}


def cancel(jobs: Sequence[str]) -> str:
    """Cancels ``jobs``; returns why that failed, empty when it did not."""
    if not jobs:
        return ""
    ended = _run("scancel", *jobs)
    return said(ended.stderr) or f"exit code {ended.returncode}" if ended.returncode else ""


def requeue_this_job() -> str:
    """Puts the job that this process belongs to back into the queue, which ends it; returns why that failed."""
    ended = _run("scontrol", "requeue", os.environ["SLURM_JOB_ID"])
    return said(ended.stderr) if ended.returncode else ""


def refusal(error: Exception) -> ConfigError:
    """Returns what sbatch said as a sentence with what to set instead."""
    message = said(str(error))
    for word, key, command in _ADVICE:
        if word in message.lower():
            return ConfigError(f"Slurm refuses the job: {message}; set {key} (`{command}` lists what there is).")
    return ConfigError(f"Slurm refuses the job: {message}; change the cluster.… keys, which `--cfg job` prints.")


def said(text: str) -> str:
    """Returns the distinct messages of one of Slurm's commands in one line."""
    found = re.findall(r"(?:sbatch|squeue|scancel|scontrol|slurm\w*)?:? ?error: (.+)", text) or [
        line for line in text.splitlines() if line.strip()
    ]
    return "; ".join(dict.fromkeys(line.strip().rstrip(".") for line in found))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]}: {error}")
