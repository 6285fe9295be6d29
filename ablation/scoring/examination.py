"""Many runs of one task's tests, for the audit of the task: by one worker, which prepares the task once."""

from dataclasses import dataclass
from typing import NamedTuple

from ablation.tasks.task import Task


class Run(NamedTuple):
    """What one run of the tests may differ in from the next."""

    seed: int = 0  # of ``random``, for the tests and for the candidate
    order: int = (
        0  # of the tests: 0 as in the file, 1 from last to first, others shuffled by this seed, classes together
    )


class Series(NamedTuple):
    """One candidate and its runs."""

    text: str | None  # a completion; None: the task's reference
    runs: tuple[Run, ...] = (Run(),)
    ours: bool = False  # the text is a module that this program wrote: it runs beside the tests, without a process


@dataclass(frozen=True)
class Examination:
    """A task and all that is to be run of it. Its verdicts come in this order."""

    task: Task
    series: tuple[Series, ...]

    @property
    def size(self) -> int:
        """How many runs it has."""
        return sum(len(one.runs) for one in self.series)

    def rest(self, done: int) -> list[Series]:
        """What remains after so many runs."""
        left = []
        for one in self.series:
            if done < len(one.runs):
                left.append(one._replace(runs=one.runs[done:]))
            done = max(0, done - len(one.runs))
        return left
