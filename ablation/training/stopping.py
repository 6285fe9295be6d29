"""Whether a link ends before its next step, and why: a signal asked for it, or the step would not fit into the job."""

import signal

from ablation.training.job_time import JobTime
from ablation.training.pace import Stopwatch

# Slurm and submitit warn with SIGUSR1 or SIGUSR2 before the wall time, and preempt with SIGTERM.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class Stopping:
    """Asked by the recorder after every step."""

    def __init__(self, job: JobTime, watch: Stopwatch) -> None:
        self.job = job
        self.watch = watch
        self.said = ""  # why the link ended early; empty while it goes on
        self._signal = ""

    def listen(self) -> None:
        """From here on signals do not end the process: they are honoured when the running step is over."""
        for number in SIGNALS:
            signal.signal(number, self._note)

    def reason(self) -> str:
        """Returns why the link must not begin another step, in words; empty when it may."""
        asked = f"told to stop ({self._signal})" if self._signal else ""
        self.said = self.said or asked or self.watch.shortfall(self.job.left_s())
        return self.said

    def too_short(self) -> str:
        """Returns why the job was too short for any step, in words; empty when it was a signal that ended the link."""
        if self._signal or self.job.ends_s is None:
            return ""
        return self.watch.too_short(self.job.ends_s - self.job.began_s)

    def _note(self, number: int, _: object) -> None:
        self._signal = signal.Signals(number).name
