"""The pool's side of one worker process."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from ablation.scoring.cleaning import remove
from ablation.scoring.environment import World, environment, program
from ablation.scoring.examination import Series
from ablation.scoring.extract import MAX_COMPLETION_CHARS
from ablation.scoring.frames import FrameBuffer, encode
from ablation.scoring.verdict import Verdict
from ablation.tasks.task import Task

EVALUATOR = "ablation.scoring.evaluator"
START_S = 60.0  # for a worker to start and prepare a task, on a busy network file system
SEND_S = 30.0  # for a worker to take a job
STOP_S = 1.0  # for a worker to end by itself


class WorkerDiedError(Exception):
    """The worker process is gone or does not answer."""


class WorkerProcess:
    """A worker, its socket and its scratch folder. Runs one job at a time."""

    def __init__(self, tier: str, explain: bool = False, world: World = World()) -> None:  # noqa: B008  # immutable
        self._tier = tier
        self.explanation: dict[str, Any] | None = None  # of the last verdict, where explanations were asked for
        self._scratch = Path(tempfile.mkdtemp(prefix="ablation-")).resolve()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(SEND_S)
        settings = {"scratch": str(self._scratch), "tier": tier, "explain": explain, "world": world}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", *program(EVALUATOR, world), json.dumps(settings)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                env=environment(world),
                start_new_session=True,  # Ctrl-C is for the trainer, which then closes the pool
            )
        self._frames = FrameBuffer()
        self._task: Task | None = None
        self.expected: tuple[str, ...] = ()
        self.started = False  # whether the candidate's code may have run
        self.deadline = float("inf")  # of time.monotonic()

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def send(self, task: Task, series: Sequence[Series]) -> None:
        """Hand over a job. Raises OSError when it is not taken."""
        self._task, self.started = task, False
        self.deadline = self._patience()
        # One character too many is enough for the worker to see that it is too long.
        short = [one._replace(text=one.text and one.text[: MAX_COMPLETION_CHARS + 1]) for one in series]
        job = {"task": vars(task), "series": short}
        self._socket.sendall(encode(job))

    def receive(self) -> list[Verdict]:
        """Read what has arrived: the verdicts that it completes. Raises WorkerDiedError, OSError."""
        data = self._socket.recv(1 << 16)
        if not data:
            raise WorkerDiedError("the worker closed its socket")
        assert self._task is not None
        verdicts = []
        for frame in self._frames.feed(data):
            if "failed" in frame:
                raise WorkerDiedError(frame["failed"])
            if "execution" in frame:
                self.explanation = frame.get("explanation")
                tier = frame["tier"] or self._tier
                verdicts.append(Verdict(task_id=self._task.task_id, tier=tier, **frame["execution"]))
                self.started, self.deadline = False, self._patience()
            else:
                self.started, self.expected = True, tuple(frame["started"])
                self.deadline = time.monotonic() + self._task.timeout_s + frame["margin_s"]
        return verdicts

    def _patience(self) -> float:
        assert self._task is not None
        return time.monotonic() + START_S + 5 * self._task.timeout_s  # the reference may run by two ways

    def stop(self) -> None:
        """End the process with all its descendants and remove the scratch folder."""
        self._socket.close()  # on which a worker that listens ends by itself
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        remove(self._scratch)

    def kill(self) -> None:
        """SIGKILL to the process and all its descendants, without waiting: gigabytes take time to be freed."""
        try:
            worker = psutil.Process(self._process.pid)
            family = [*worker.children(recursive=True), worker]
        except psutil.NoSuchProcess:
            family = []
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
