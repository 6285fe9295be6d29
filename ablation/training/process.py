"""The child process that trains a link: started, watched, asked to stop, and how it ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from ablation.printing import last_error
from ablation.training.chain import STOPPED, Status
from ablation.training.orders import Orders
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
    """The process of one link. It ends when this object's process does: its standard input closes."""

    def __init__(self, folder: Path, link: int, log: Path, orders: Orders = Orders()) -> None:  # noqa: B008  # frozen
        # Ours wins: the launcher of sweeps sets a number of threads that depends on how many chains it runs.
        environment = {**os.environ, **LINK_ENVIRONMENT, **orders.environment()}
        environment.pop("WANDB_SERVICE", None)  # a link shares no W&B process with whoever started this one
        command = [sys.executable, "-m", "ablation.training.link", str(folder), str(link)]
        log.parent.mkdir(exist_ok=True)
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        self._log = log
        self._asked_to_stop = ""  # by what

    def run(self, tick: Callable[[], None]) -> Ending:
        """Waits for the end, calling ``tick`` now and then; what asks for a stop is passed on.

        An exception of ``tick`` kills the process.
        """
        with self._signals(), self._ended_afterwards():
            while self._process.poll() is None:
                time.sleep(POLL_S)
                if not self._asked_to_stop and sweep_is_over():
                    self._ask_to_stop("the sweep was stopped")
                tick()
        return self._ending(self._process.returncode)

    def _ask_to_stop(self, by: str) -> None:
        self._asked_to_stop = by
        self._process.terminate()  # the link saves its state after the running step

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def passed_on(number: int, _: object) -> None:
            # Slurm sends a warning first and SIGTERM later, or the same one twice: only Ctrl-C insists.
            if self._asked_to_stop:
                if number == signal.SIGINT:
                    self._process.kill()
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
            assert self._process.stdin is not None
            self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
            self._process.kill()
            self._process.wait()

    def _ending(self, code: int) -> Ending:
        if code == 0:
            return Ending("complete")
        said = self._asked_to_stop or _last_words(self._log)
        if code == STOPPED:
            return Ending("stopped", said)
        if code < 0:
            name = signal.Signals(-code).name
            if self._asked_to_stop or -code in SIGNALS:
                return Ending("stopped", f"{self._asked_to_stop or f'told to stop ({name})'} while it was starting")
            return Ending("failed", f"killed by {name}" + (", perhaps for lack of memory" if code == -9 else ""))
        return Ending("failed", _last_words(self._log) or _reason(self._log))


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
