"""The words of an audit: kinds of findings, which of them reject a task, and what an audit says of one task."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

RejectingKind = Literal[
    "broken_reference",
    "null_grader",
    "flaky",
    "needs_network",
    "missing_package",
    "gold_in_instruction",
    "unnamed_api",
    "no_tests",
    "few_tests",
    "duplicate",
    "unsupported",
]
WarningKind = Literal["stub_passes_test", "slow", "near_duplicate", "no_reference"]
Kind = RejectingKind | WarningKind
REJECTING: tuple[RejectingKind, ...] = get_args(RejectingKind)
WARNING: tuple[WarningKind, ...] = get_args(WarningKind)
MEANING: dict[str, str] = {
    "broken_reference": "The reference does not pass its tests, so nothing shows that anything can.",
    "null_grader": "A stub, which solves nothing, passes every test.",
    "flaky": "The reference passes in some runs and fails in others.",
    "needs_network": "Tests or reference call the network, which no candidate has.",
    "missing_package": "Tests or reference import what a candidate cannot import here.",
    "gold_in_instruction": "The solution, or what the tests expect, can be copied from the instruction.",
    "unnamed_api": "The tests use a name that the instruction never says.",
    "no_tests": "There is no test that counts.",
    "few_tests": "There is one test: binary and shaped reward are the same.",
    "duplicate": "Instruction and tests are those of an earlier task.",
    "unsupported": "The verifier cannot run these tests in a way that can be trusted.",
    "stub_passes_test": "A stub passes some tests: partial credit for nothing.",
    "slow": "The reference takes long; so will every candidate.",
    "near_duplicate": "Instruction and tests are nearly those of an earlier task.",
    "no_reference": "Nothing shows that the tests can be passed.",
}


class Finding(NamedTuple):
    """One thing that is wrong with a task, and a sentence that shows it."""

    kind: Kind
    detail: str


@dataclass(frozen=True)
class Audit:
    """What the audit says of one task."""

    task_id: str
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether no finding is of a rejecting kind."""
        return not any(finding.kind in REJECTING for finding in self.findings)

    def to_line(self) -> dict[str, Any]:
        """The line of ``audit.jsonl``, ready for JSON."""
        return {
            "task_id": self.task_id,
            "accepted": self.accepted,
            "findings": [finding._asdict() for finding in self.findings],
        }
