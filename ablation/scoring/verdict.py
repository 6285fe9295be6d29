"""A verdict: what each expected test said of a candidate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Outcome = Literal["passed", "failed", "error", "timeout", "skipped", "missing"]
Status = Literal[
    "scored",
    "no_code",
    "syntax_error",
    "timeout",
    "crashed",
    "violation",
    "unsupported",
    "infrastructure",
]
STATUSES: tuple[Status, ...] = get_args(Status)
UNSCORED: frozenset[Status] = frozenset({"unsupported", "infrastructure"})


@dataclass(frozen=True)
class Verdict:
    """What each expected test said of a candidate.

    ``tests`` has exactly the expected tests as keys, whatever happened to run: a test that did not run is
    ``missing``. A candidate's own fault scores 0; ``unsupported`` and ``infrastructure`` have no score.
    """

    task_id: str
    status: Status
    tests: Mapping[str, Outcome]
    tier: str  # the containment that the candidate ran in
    seconds: float
    detail: str = ""  # why, for a person; not part of the verdict line

    @property
    def scored(self) -> bool:
        return self.status not in UNSCORED

    @property
    def passed(self) -> int:
        return sum(outcome == "passed" for outcome in self.tests.values())

    @property
    def total(self) -> int:
        return len(self.tests)

    @property
    def pass_ratio(self) -> float | None:
        """Fraction of expected tests that passed; None when there is no score."""
        if not self.scored:
            return None
        return self.passed / self.total if self.total else 0.0

    @property
    def solved(self) -> bool | None:
        """Whether every expected test passed; None when there is no score."""
        if not self.scored:
            return None
        return self.total > 0 and self.passed == self.total

    def to_line(self) -> dict[str, Any]:
        """The verdict line of ``ablation.score``, ready for JSON."""
        return {
            "task_id": self.task_id,
            "status": self.status,
            "passed": self.passed if self.scored else None,
            "total": self.total,
            "pass_ratio": self.pass_ratio,
            "solved": self.solved,
            "tests": dict(self.tests),
            "tier": self.tier,
            "seconds": round(self.seconds, 6),
        }
