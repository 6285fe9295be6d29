"""What the fault drill needs: chains started, watched from outside, frozen where they stand, killed, and compared."""

import contextlib
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from ablation import metrics
from analysis.history import parse_lines, stitch

ROOT = Path(__file__).resolve().parent.parent
PHASES = ("generation", "scoring", "update", "state write", "candidate write", "history write")
# The innermost function of ours that a phase is known by, or of the trainer: file's end, function.
_KNOWN = {
    ("ablation/tracking.py", "_guard"): "W&B",
    ("ablation/tracking.py", "log"): "history write",
    ("ablation/tracking.py", "sync"): "history write",
    ("training/recorder.py", "_save_candidate"): "candidate write",
    ("training/rollouts.py", "flush"): "rollouts write",
    ("training/checkpoints.py", "write_state"): "state write",
    ("training/trainer.py", "_save_checkpoint"): "state write",
    ("training/recorder.py", "__call__"): "scoring",
    ("training/trainer.py", "_generate"): "generation",
    ("transformers/trainer.py", "training_step"): "update",
    ("transformers/trainer.py", "_clip_grad_norm"): "update",
    ("optimizer.py", "step"): "update",
    ("transformers/trainer.py", "_run_epoch"): "between",
    ("training/link.py", "train_link"): "start-up",
}
# Where a hidden folder shows during a phase, or right before it: the row follows the candidate.
_SIGNS = {"state write": "resume", "candidate write": "checkpoints", "history write": "checkpoints"}
# The longest burst, in seconds, out of each phase that may come before a short one.
_BEFORE = {"candidate write": 0.02, "rollouts write": 0.004, "W&B": 0.003, "history write": 0.003, "unreadable": 0.0}
_BURSTS = 100


def start(cwd: Path, arguments: list[str], **environment: str) -> subprocess.Popen:
    """A command as a user types it, in a process group of its own; what it says goes to ``printed``."""
    with (cwd / "printed").open("a") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "ablation.run", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def link_of(supervisor: subprocess.Popen) -> psutil.Process | None:
    """The process that trains, once there is one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(supervisor.pid).children():
            if "ablation.training.link" in child.cmdline():
                return child
    return None


def kill(supervisor: subprocess.Popen) -> None:
    """SIGKILL to the whole process group: supervisor, link, W&B, at one instant."""
    os.killpg(supervisor.pid, signal.SIGKILL)
    supervisor.wait()


def phase(pid: int) -> str:
    """Where a frozen process stands, by the stack that py-spy reads out of its memory."""
    spy = [str(Path(sys.executable).with_name("py-spy")), "dump", "--nonblocking", "--json", "--pid", str(pid)]
    ended = subprocess.run(spy, capture_output=True, text=True, check=False)
    if ended.returncode:
        return "unreadable"
    for thread in json.loads(ended.stdout):
        for frame in thread["frames"] if thread["thread_name"] == "MainThread" else ():
            for (file, function), name in _KNOWN.items():
                if frame["filename"].endswith(file) and frame["name"].rpartition(".")[2] == function:
                    return name
    return "start-up"


def kill_in(wanted: str, supervisor: subprocess.Popen, chain: Path, chance: random.Random) -> str | None:
    """Freezes the link at random instants until it stands in ``wanted``, then kills the group; returns the phase.

    ``wanted`` "any": the first instant counts. For short phases the link goes on in bursts of milliseconds from where
    the files of what comes before begin to show. None when the command ended before.
    """
    if wanted == "any":
        time.sleep(chance.uniform(0.5, 1.5) * _usual_start(chain))
    while supervisor.poll() is None:
        link = link_of(supervisor)
        if link is None:
            time.sleep(0.05)
            continue
        _wait_for_a_sign(wanted, supervisor, chain, chance)
        try:
            for _ in range(_BURSTS if wanted in _SIGNS else 1):
                link.suspend()
                found = phase(link.pid)
                if wanted in (found, "any"):
                    kill(supervisor)
                    return found
                link.resume()
                if found not in _BEFORE:
                    break  # too late for this step
                time.sleep(chance.uniform(0.0, _BEFORE[found]))
        except psutil.NoSuchProcess:
            continue
    return None


def _usual_start(chain: Path) -> float:
    """Seconds until a link of this chain makes its first step, as its history says; 20 at first."""
    return statistics.median(startups(chain) or [20.0])


def _wait_for_a_sign(wanted: str, supervisor: subprocess.Popen, chain: Path, chance: random.Random) -> None:
    if wanted not in _SIGNS:
        time.sleep(chance.uniform(0.05, 1.0))
        return
    folder = chain / _SIGNS[wanted]

    def shows() -> bool:
        return folder.is_dir() and any(path.suffix == ".partial" for path in folder.iterdir())

    while not shows() and supervisor.poll() is None:
        time.sleep(0.001)


def rows(chain: Path) -> list[dict[str, Any]]:
    """The rows of a history that can be read, in file order."""
    history, found = chain / "history.jsonl", []
    for line in history.read_text().splitlines() if history.exists() else ():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def differences(one: Path, reference: Path, steps: int) -> list[str]:
    """What differs in the first ``steps`` of two chains: weights of candidates, stitched history, rollouts."""
    sides = [{name: value for step, name, value in _comparable(chain) if step <= steps} for chain in (one, reference)]
    assert sides[1], f"{reference} holds nothing to compare with"
    names = sorted({*sides[0], *sides[1]})
    return [name for name in names if sides[0].get(name) != sides[1].get(name)]


def _comparable(chain: Path) -> Iterator[tuple[int, str, Any]]:
    for weights in (chain / "checkpoints").glob("checkpoint-*/*.safetensors"):
        yield int(weights.parent.name.rpartition("-")[2]), str(weights.relative_to(chain)), weights.read_bytes()
    for row in stitch(parse_lines((chain / "history.jsonl").read_bytes(), "history").rows):
        for name, value in row.values.items():
            if metrics.is_deterministic(name):
                yield row.step, f"step {row.step} {name}", value
    columns = ["step", "group", "sample", "completion", "status", "tests"]
    for file in (chain / "rollouts").glob("*.parquet"):
        for said in pq.read_table(file, columns=columns).to_pylist():
            yield said["step"], f"rollout {said['step']} {said['group']} {said['sample']}", said


def repeated(chain: Path) -> int:
    """The most steps that a link made again of those that the link before it had logged."""
    steps = [(row[metrics.LINK], row[metrics.STEP]) for row in rows(chain)]
    pairs = itertools.pairwise(steps)
    return max((before - step + 1 for (old, before), (new, step) in pairs if new != old), default=0)


def startups(chain: Path) -> list[float]:
    """Seconds from the supervisor's start to the first step, of every link that made one."""
    return [row[metrics.TIME_STARTUP] for row in rows(chain) if row.get(metrics.TIME_STARTUP)]


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
