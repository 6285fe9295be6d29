"""Whether a link ends before its next step, and why: a signal asked for it, or the step would not fit into the job."""

import signal
from collections.abc import Callable

from ablation.training.job_time import JobTime
from ablation.training.pace import Stopwatch

# Slurm and submitit warn with SIGUSR1 or SIGUSR2 before the wall time, and preempt with SIGTERM.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class Stopping:
    """Asked by the recorder after every step, on every rank at the same moments: the ranks end together."""

    def __init__(self, job: JobTime, watch: Stopwatch, agreed: Callable[[str], str] = str) -> None:
        """``agreed``: returns to all ranks one of the reasons that they call it with, empty when none has any."""
        self.job = job
        self.watch = watch
        self._agreed = agreed
        self.said = ""  # why the link ended early; empty while it goes on
        self._signal = ""

    def listen(self) -> None:
        """From here on signals do not end the process: they are honoured when the running step is over."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def reason(self) -> str:
        """Returns why the link must not begin another step, in words and the same on every rank; empty when it may."""
        if not self.said:
            asked = f"told to stop ({self._signal})" if self._signal else ""
            self.said = self._agreed(asked or self.watch.shortfall(self.job.left_s()))
        return self.said

    def too_short(self) -> str:
        """Returns why the job was too short for any step, in words; empty when it was a signal that ended the link."""
        if self._signal or self.job.ends_s is None:
            return ""
        return self.watch.too_short(self.job.ends_s - self.job.began_s)

    def _note(self, number: int, _: object) -> None:
        self._signal = signal.Signals(number).name
