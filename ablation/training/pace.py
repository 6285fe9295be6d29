"""How long a start, a step and a save of a chain take, and whether one more step fits into what a job has left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation import metrics

RECENT = 20  # measurements that an expectation looks at
_OUTLIERS_FROM = 5  # measurements, from which on the largest may be an outlier
MARGIN = 1.1  # steps grow with the completions
CLOSING_S = 10.0  # for what follows the last save: W&B, scoring processes, the interpreter


def expected_s(measured: Sequence[float]) -> float | None:
    """Returns the seconds to reckon with: the longest of the last ``RECENT``, without one outlier, and a margin.

    None when nothing was measured.
    """
    longest = sorted(measured[-RECENT:], reverse=True)
    if not longest:
        return None
    return MARGIN * longest[len(longest) >= _OUTLIERS_FROM]


@dataclass(frozen=True)
class Pace:
    """What one step more costs, in seconds; None is what was never measured."""

    startup_s: float | None
    step_s: float | None
    save_s: float | None

    @property
    def step_and_save_s(self) -> float:
        """Until a step is over and its state on disk. A save that was never measured is taken for a step."""
        step_s = self.step_s or 0.0
        return step_s + (step_s if self.save_s is None else self.save_s) + CLOSING_S

    @property
    def shortest_job_s(self) -> float | None:
        """A job below this makes no progress; None before a step was measured."""
        return None if self.step_s is None else (self.startup_s or 0.0) + self.step_and_save_s

    def __str__(self) -> str:
        step = "a step is not measured yet" if self.step_s is None else f"a step takes {_s(self.step_s)}"
        save = "" if self.save_s is None else f", a save {_s(self.save_s)}"
        return f"{step}{save}, closing {_s(CLOSING_S)}"


def measured(rows: Sequence[Mapping[str, Any]]) -> Pace:
    """Returns the pace of a chain's last link that made steps, from the rows of its history in file order."""
    of_link = [row for row in rows if row.get(metrics.LINK) == rows[-1].get(metrics.LINK)]
    startup = expected_s(_values(of_link, metrics.TIME_STARTUP))
    save, validation = (expected_s(_values(rows, name)) for name in (metrics.TIME_SAVE, metrics.TIME_VALIDATE))
    after_step = None if save is None else save + (validation or 0.0)
    return Pace(startup, expected_s(_values(of_link, metrics.TIME_STEP)), after_step)


class Stopwatch:
    """The pace of a running link: its own measurements, and those of the chain's earlier links until it has any."""

    def __init__(self, earlier: Pace) -> None:
        self._earlier = earlier
        self._startup_s = 0.0
        self._steps: list[float] = []
        self._saves: list[float] = []

    def started(self, seconds: float) -> None:
        """The start-up is over: it took so long."""
        self._startup_s = seconds

    def step(self, seconds: float) -> None:
        self._steps.append(seconds)

    @property
    def made_steps(self) -> int:
        return len(self._steps)

    def save(self, seconds: float) -> None:
        self._saves.append(seconds)

    @property
    def pace(self) -> Pace:
        return Pace(
            self._startup_s,
            expected_s(self._steps) or self._earlier.step_s,
            expected_s(self._saves) or self._earlier.save_s,
        )

    def shortfall(self, left_s: float | None) -> str:
        """Returns why no further step fits into what is left, in words; empty when it does."""
        if left_s is None or left_s >= self.pace.step_and_save_s:
            return ""
        return f"the job ends in {_s(max(left_s, 0.0))}, {self.pace}"

    def too_short(self, limit_s: float) -> str:
        """Returns why a job of ``limit_s`` seconds makes no step at all, in words."""
        needed_s = self._startup_s + self.pace.step_and_save_s
        return (
            f"a job of {_s(limit_s)} is too short for one step: start-up took {_s(self._startup_s)}, {self.pace}, "
            f"together {_s(needed_s)}; give it more time, at least cluster.time_min={needed_s / 60 + 0.1:.1f}"
        )


def _values(rows: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    return [row[metric] for row in rows if isinstance(row.get(metric), int | float)]


def _s(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
