"""How the tasks of a cluster's job, a rank of the link each, find each other: by files in a folder that all see.

The first task is the chain's supervisor: it calls the others when it has begun a link, and says when that is over. A
rank that fails is reported to it, so that it can record why before the job ends.
"""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ablation import durable
from ablation.training.job_time import JobTime
from ablation.training.orders import Orders
from ablation.training.places import Place, free_port
from ablation.training.process import POLL_S, Ending, LinkProcess

_RECORD_S = 60.0  # for the supervisor to record an end, and for ranks to end after the first one
_CALL, _OVER = "call.json", "over"


class RankFailedError(RuntimeError):
    """A rank that another task started has failed."""


class Tasks(NamedTuple):
    """Where this task is among those of its job."""

    number: int
    total: int
    local: int  # number on its machine
    on_machine: int


class Meeting:
    """One attempt of a job; ``folder`` is its own and seen by all tasks."""

    def __init__(self, folder: Path, tasks: Tasks) -> None:
        self._folder = folder
        self._tasks = tasks
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_main(self) -> bool:
        return self._tasks.number == 0

    def call(self, link: int, lease: str) -> Place:
        """Tells the other tasks which link begins, and returns the place of this one."""
        port = free_port()
        content = {"link": link, "lease": lease, "address": socket.gethostname(), "port": port}
        durable.write_text(self._folder / _CALL, json.dumps(content))
        return self._place(content)

    def check(self) -> None:
        """Raises RankFailedError when another task has reported a failure."""
        for path in sorted(self._folder.glob("rank-*.failed")):
            raise RankFailedError(path.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Tells the other tasks that nothing follows in this job."""
        (self._folder / _OVER).touch()

    def follow(self, chain_dir: Path, job: JobTime) -> Ending:
        """Runs this task's rank of the link that the first task begins; returns when that is over."""
        while not (self._folder / _CALL).exists():
            if self._is_over():
                return Ending("complete")  # nothing was to be done
            time.sleep(POLL_S)
        content = json.loads((self._folder / _CALL).read_text())
        log = chain_dir / "logs" / f"link-{content['link']}.log"
        process = LinkProcess(chain_dir, content["link"], log, Orders(content["lease"], job), self._place(content))
        ending = process.run(self._until_over())
        if ending.status == "failed":
            report = self._folder / f"rank-{self._tasks.number}.failed"
            durable.write_text(report, ending.message)
            self._wait_until_over()
        return ending

    def _place(self, content: dict[str, Any]) -> Place:
        number, total, local, on_machine = self._tasks
        return Place(total, number, 1, local, on_machine, content["address"], content["port"])

    def _until_over(self) -> Callable[[], None]:
        """Returns what to call now and then while a rank runs: it raises when the rest has long ended."""
        seen: list[float] = []

        def tick() -> None:
            if not seen and self._is_over():
                seen.append(time.monotonic())
            if seen and time.monotonic() > seen[0] + _RECORD_S:
                raise RankFailedError("the main rank has ended, and this one went on")

        return tick

    def _wait_until_over(self) -> None:
        deadline = time.monotonic() + _RECORD_S
        while not self._is_over() and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _is_over(self) -> bool:
        return (self._folder / _OVER).exists()
