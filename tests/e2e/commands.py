"""Commands that a test starts, watches and interrupts."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.e2e.conftest import Trained


def environment_of(**more: str) -> dict[str, str]:
    """What a command needs to run this checkout's code from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def start(cwd: Path, *arguments: str, stdout: Any = subprocess.DEVNULL) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env=environment_of(),
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


def with_base(study: Trained, cwd: Path) -> Path:
    """A folder to type commands in, with the base model of ``study`` at hand."""
    (cwd / "runs").mkdir()
    (cwd / "runs" / ".cache").symlink_to(study.cwd / "runs" / ".cache")
    return cwd
