"""The processes that a pool of this process has, found from outside, wherever they have moved to."""

import json
from collections.abc import Iterator

import psutil

# The evaluator, the process that runs scripts, bubblewrap outside and inside, the candidate server, the child that
# waits for the next candidate.
MEMBERS = 6


def evaluators() -> Iterator[tuple[psutil.Process, str]]:
    """Each worker of this process with its scratch folder, which the command lines of its family name."""
    for process in psutil.Process().children():
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:  # or a zombie: a worker that was killed is waited for later
            continue
        if "ablation.scoring.evaluator" in command:
            yield process, json.loads(command[-1])["scratch"]


def strays() -> list[str]:
    """Command lines of the families that have more members than an idle worker has."""
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    families = [[line for line in lines if scratch in line] for _, scratch in evaluators()]
    return [line for family in families if len(family) > MEMBERS for line in family]


def zombies() -> list[int]:
    """Processes below this one that ended and were not waited for."""
    family = psutil.Process().children(recursive=True)
    return [process.pid for process in family if process.status() == psutil.STATUS_ZOMBIE]
