"""Commands that a test starts, watches and interrupts."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT
from tests.e2e.conftest import Trained


def environment_of(**more: str) -> dict[str, str]:
    """What a command needs to run this checkout's code from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def start(cwd: Path, *arguments: str, stdout: Any = subprocess.DEVNULL, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env=environment_of(**environment),
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def logged_steps(chain: Path) -> int:
    history = chain / "history.jsonl"
    return len(history.read_text().splitlines()) if history.exists() else 0


def process_of_rank(study: str, rank: int) -> psutil.Process:
    """The process that trains one rank of the one chain of ``study``."""
    (found,) = [process for process in psutil.process_iter() if _trains(process, study, rank)]
    return found


def _trains(process: psutil.Process, study: str, rank: int) -> bool:
    try:
        typed = process.cmdline()
        is_link = "ablation.training.link" in typed and any(f"/{study}/" in argument for argument in typed)
        return is_link and process.environ().get("RANK") == str(rank)
    except psutil.Error:
        return False


def with_base(study: Trained, cwd: Path) -> Path:
    """A folder to type commands in, with the base model of ``study`` at hand."""
    (cwd / "runs").mkdir()
    (cwd / "runs" / ".cache").symlink_to(study.cwd / "runs" / ".cache")
    return cwd
