"""The child process that trains a link: started, watched, asked to stop, and how it ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import psutil

from ablation.printing import last_error
from ablation.training.chain import STOPPED, Status
from ablation.training.orders import Orders
from ablation.training.places import Place, log_of_rank
from ablation.training.stopping import SIGNALS

SWEEP_PID = "ABLATION_SWEEP_PID"  # the process of the sweep that this chain belongs to
SWEEP_STOP = "ABLATION_SWEEP_STOP"  # the file whose appearance asks every chain of the sweep to stop
POLL_S = 0.25
GRACE_S = 5.0  # for a link to end by itself once its supervisor has let go of it
# One thread for each chain: with more, chains that share cores wait for each other. glibc keeps the pages of a
# step's tensors for the next step instead of giving them back, which saved 2 to 8 % of a run in two
# tries on a CPU.
LINK_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31),
}


@dataclass(frozen=True)
class Ending:
    """How a link ended, and why when it failed."""

    status: Status
    message: str = ""


class LinkProcess:
    """The process of one link, or of each rank of it. They end when this object's process does: their standard inputs
    close."""

    def __init__(
        self,
        folder: Path,
        link: int,
        log: Path,
        orders: Orders = Orders(),  # noqa: B008  # frozen
        place: Place = Place(),  # noqa: B008  # frozen
    ) -> None:
        # Ours wins: the launcher of sweeps sets a number of threads that depends on how many chains it runs.
        environment = {**os.environ, **LINK_ENVIRONMENT, **replace(orders, ranks_here=place.here).environment()}
        environment.pop("WANDB_SERVICE", None)  # a link shares no W&B process with whoever started this one
        command = [sys.executable, "-m", "ablation.training.link", str(folder), str(link)]
        log.parent.mkdir(exist_ok=True)
        self._ranks: list[_Rank] = []
        for index, of_rank in enumerate(place.environments()):
            own = log_of_rank(log, place.first + index)
            with own.open("w") as output:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**environment, **of_rank},
                )
            self._ranks.append(_Rank(place.first + index, own, process))
        self._world = place.world
        self._asked_to_stop = ""  # by what

    def run(self, tick: Callable[[], None]) -> Ending:
        """Waits for the end, calling ``tick`` now and then; what asks for a stop is passed on.

        A rank that fails ends the others. An exception of ``tick`` kills the processes.
        """
        with self._signals(), self._ended_afterwards():
            while any(rank.code is None for rank in self._ranks) and not self._failed():
                time.sleep(POLL_S)
                if not self._asked_to_stop and sweep_is_over():
                    self._ask_to_stop("the sweep was stopped")
                tick()
            failed = self._failed()
            if failed and len(self._ranks) > 1:
                self._wait(GRACE_S)  # the others notice, and close what they have open
        return self._ending(failed or self._ranks[:1])

    def _failed(self) -> list["_Rank"]:
        """The ranks that ended neither complete nor asked to, those that a signal killed before those that gave up."""
        failed = [rank for rank in self._ranks if rank.code not in (None, 0, STOPPED)]
        return sorted(failed, key=lambda rank: (rank.code or 0) >= 0)

    def _ask_to_stop(self, by: str) -> None:
        self._asked_to_stop = by
        for rank in self._ranks:
            rank.process.terminate()  # the link saves its state after the running step

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def passed_on(number: int, _: object) -> None:
            # Slurm sends a warning first and SIGTERM later, or the same one twice: only Ctrl-C insists.
            if self._asked_to_stop:
                if number == signal.SIGINT:
                    for rank in self._ranks:
                        rank.process.kill()
                return
            self._ask_to_stop(f"told to stop ({signal.Signals(number).name})")
            if SWEEP_STOP in os.environ:  # the other chains of the sweep shall not go on
                Path(os.environ[SWEEP_STOP]).touch()

        previous = {number: signal.signal(number, passed_on) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def _ended_afterwards(self) -> Iterator[None]:
        try:
            yield
        finally:
            for rank in self._ranks:
                assert rank.process.stdin is not None
                rank.process.stdin.close()
            self._wait(GRACE_S)
            for rank in self._ranks:
                rank.process.kill()
                rank.process.wait()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for rank in self._ranks:
            with contextlib.suppress(subprocess.TimeoutExpired):
                rank.process.wait(max(0.0, deadline - time.monotonic()))

    def _ending(self, ranks: Sequence["_Rank"]) -> Ending:
        """How the link ended, by the rank that says most of it."""
        rank, code = ranks[0], ranks[0].code
        of_rank = f"rank {rank.number} " if self._world > 1 else ""
        if code == 0:
            return Ending("complete")
        said = self._asked_to_stop or _last_words(rank.log)
        if code == STOPPED:
            return Ending("stopped", said)
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            if self._asked_to_stop or -code in SIGNALS:
                return Ending("stopped", f"{self._asked_to_stop or f'told to stop ({name})'} while it was starting")
            return Ending(
                "failed", f"{of_rank}killed by {name}" + (", perhaps for lack of memory" if code == -9 else "")
            )
        return Ending("failed", (of_rank and f"{of_rank}failed: ") + (_last_words(rank.log) or _reason(rank.log)))


class _Rank(NamedTuple):
    number: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def code(self) -> int | None:
        return self.process.poll()


def last_words(log: Path) -> Path:
    """Where a link says why it ended before its last step: beside its log."""
    return log.with_suffix(".end")


def _last_words(log: Path) -> str:
    try:
        return last_words(log).read_text(encoding="utf-8")
    except OSError:
        return ""


def _reason(log: Path) -> str:
    """The last line that names an error, else the last line."""
    text = log.read_text(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return last_error(text) or (lines or ["the process said nothing"])[-1][:300]


def sweep_is_over() -> bool:
    """Whether the sweep of this chain was stopped, or killed so that nobody waits for the chain any more."""
    stop, pid = os.environ.get(SWEEP_STOP), os.environ.get(SWEEP_PID)
    if stop and Path(stop).exists():
        return True
    return bool(pid) and int(pid or 0) != os.getpid() and not _runs(int(pid or 0))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
