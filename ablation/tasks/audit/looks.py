"""What an audit saw of a task in one world, short enough to keep for every task."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ablation.scoring.verdict import Verdict

PLAINLY = -1  # under plain pytest, without the verifier


class ReferenceRun(NamedTuple):
    """One run of the reference."""

    order: int  # of the tests, as in ``Run``
    solved: bool
    status: str
    failing: tuple[str, ...]  # "test outcome"
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Look:
    """What was seen of a task in the world of that number, or ``PLAINLY``."""

    world: int
    tests: tuple[str, ...] = ()  # that count
    reference: tuple[ReferenceRun, ...] = ()
    stubs: Mapping[str, Sequence[int]] = field(default_factory=dict)  # tests passed in each run, by the stub's label
    refused: str = ""  # why the verifier would give no score; then the reference was run without being trusted

    @property
    def total(self) -> int:
        """How many tests count."""
        return len(self.tests)

    def to_line(self) -> dict[str, Any]:
        """This look as JSON has it."""
        return asdict(self)

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> "Look":
        """The look that ``to_line`` made into ``line``."""
        runs = [ReferenceRun(*run)._replace(failing=tuple(run[3])) for run in line["reference"]]
        return cls(**{**line, "tests": tuple(line["tests"]), "reference": tuple(runs)})


def reference_run(order: int, verdict: Verdict) -> ReferenceRun:
    """What is kept of a verdict on the reference."""
    failing = tuple(f"{name} {outcome}" for name, outcome in verdict.tests.items() if outcome != "passed")
    return ReferenceRun(order, bool(verdict.solved), verdict.status, failing, round(verdict.seconds, 4), verdict.detail)
