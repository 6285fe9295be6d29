"""From what happened to a candidate to what its expected tests said."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from ablation.scoring.evaluator.judgements import Judgement
from ablation.scoring.evaluator.peer import End
from ablation.scoring.evaluator.run import TestResult
from ablation.scoring.verdict import Outcome, Status


@dataclass(frozen=True)
class Execution:
    """What one run of the tests said; a verdict but for the task and the tier."""

    status: Status
    tests: Mapping[str, Outcome]
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Explanation:
    """How an execution came about, for a person."""

    how: str  # the way that the tests were run
    source: str  # the candidate, as it was taken from the completion
    reasons: Mapping[str, str]  # why a test did not pass, by its name


@dataclass
class Findings:
    """What happened to one candidate."""

    results: list[TestResult] = field(default_factory=list)
    judgements: frozenset[Judgement] = frozenset()
    refused: tuple[str, str] | None = None  # a status of the extraction, and why
    broken: tuple[bool, str] | None = None  # importing it or the tests raised: whether to exit, and what
    end: tuple[End, str] | None = None  # why it could answer no more
    exit_code: int = 0
    source: str = ""  # the candidate, where it was asked for
    seconds: float = 0.0


def judge(expected: tuple[str, ...], findings: Findings) -> Execution:
    """Only what is expected and was seen to pass counts as passed; a violation forfeits everything."""
    tests: dict[str, Outcome] = dict.fromkeys(expected, "missing")
    for result in findings.results:
        if tests.get(result.name) == "missing":
            tests[result.name] = result.outcome

    def execution(status: str, why: str = "") -> Execution:
        return Execution(cast(Status, status), tests, findings.seconds, why)

    if findings.end is not None:
        end, why = findings.end
        if end == "violation" or findings.exit_code == -signal.SIGSYS:
            tests.update(dict.fromkeys(expected, "error"))
            return execution("violation", why if end == "violation" else "a system call that no candidate may make")
        if end == "gone" and findings.exit_code != -signal.SIGXCPU:
            tests.update({name: "error" for name, outcome in tests.items() if outcome == "timeout"})
            return execution("crashed", _death(findings.exit_code))
        return execution("timeout", "the deadline passed")
    if findings.refused is not None:
        return execution(*findings.refused)
    if findings.broken is not None:
        exits, why = findings.broken
        if not exits:
            tests.update(dict.fromkeys(expected, "error"))
        return execution("crashed" if exits else "scored", why)
    return execution("scored")


def _death(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exited with {exit_code} before all tests had reported"
