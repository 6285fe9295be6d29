"""What was run for one submission, in which tier, and why a test failed, as text for a person."""

import time

from ablation.scoring.examination import Series
from ablation.scoring.process import WorkerDiedError, WorkerProcess
from ablation.scoring.verdict import Verdict
from ablation.tasks.task import Task

POLL_S = 0.05


class NoVerdictError(RuntimeError):
    """The evaluator ended before it had a verdict; the message says why."""


def explain(task: Task, completion: str | None, tier: str) -> str:
    """The explanation of one completion, or of the task's reference (None). Raises NoVerdictError."""
    worker = WorkerProcess(tier, explain=True)
    try:
        worker.send(task, [Series(completion)])
        verdicts = list[Verdict]()
        while not verdicts:
            verdicts = worker.receive()
            if worker.deadline < time.monotonic():
                raise NoVerdictError("the evaluator did not answer in time; see whether the tests end by themselves")
        return _text(task, verdicts[0], worker.explanation or {})
    except (WorkerDiedError, OSError) as error:
        raise NoVerdictError(f"the evaluator ended without a verdict ({error}); see whether the tests end it") from None
    finally:
        worker.stop()


def _text(task: Task, verdict: Verdict, about: dict[str, object]) -> str:
    reasons = about.get("reasons") or {}
    assert isinstance(reasons, dict)
    earned = "no score" if verdict.pass_ratio is None else f"{verdict.passed} of {verdict.total} tests passed"
    lines = [
        f"task      {task.task_id}",
        f"status    {verdict.status}: {earned}, in {verdict.seconds:.3f} s of {task.timeout_s:g} s",
        f"tier      {verdict.tier}",
        *([f"how       {about['how']}"] if about.get("how") else []),
        *([f"why       {verdict.detail}"] if verdict.detail else []),
        *([f"candidate ({task.module}.py)", *_indented(str(about["source"]))] if about.get("source") else []),
        *(["tests"] if verdict.tests else []),
    ]
    for name, outcome in verdict.tests.items():
        lines.append(f"    {outcome:8}{name}")
        lines += [f"            {line}" for line in str(reasons.get(name, "")).splitlines()]
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.rstrip().splitlines()]
