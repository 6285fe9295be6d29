"""From what was seen of a task to findings."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from ablation.tasks.audit.findings import Finding
from ablation.tasks.audit.looks import PLAINLY, Look, ReferenceRun
from ablation.tasks.audit.source import count_tests, parse
from ablation.tasks.audit.worlds import STEP_S
from ablation.tasks.task import Task

SLOW_S = 1.0  # of the reference, by median; half of the task's own limit if that is less
MIN_TESTS = 2
_NO_TEST = "the tests define no test"  # as the evaluator says it
_ABSENT = re.compile(r"No module named '([\w.]+)'")


def judge(task: Task, looks: Sequence[Look]) -> list[Finding]:
    """What the looks at a task show."""
    solves_plainly = next((look.reference[0].solved for look in looks if look.world == PLAINLY), None)
    looks = [look for look in looks if look.world != PLAINLY]
    runs = [run for look in looks for run in look.reference]
    return [
        *_tests(task, looks),
        *_packages(task, looks, runs),
        *_reference(task, looks, runs, solves_plainly),
        *_stubs(looks),
        *_slow(task, runs),
    ]


def _tests(task: Task, looks: Sequence[Look]) -> Iterator[Finding]:
    tree = parse(task.tests)
    seen = any(look.reference or look.stubs for look in looks)
    total = max((look.total for look in looks), default=0)
    count = total if seen else count_tests(tree) if tree else MIN_TESTS  # what does not parse is unsupported, not few
    if count == 0 or (looks and all(_NO_TEST in look.refused for look in looks)):
        yield Finding("no_tests", "the tests file has no test that counts")
    elif count < MIN_TESTS:
        yield Finding("few_tests", f"{count} test, expected {MIN_TESTS} or more for partial credit")


def _packages(task: Task, looks: Sequence[Look], runs: Sequence[ReferenceRun]) -> Iterator[Finding]:
    if any(run.solved for run in runs):
        return
    said = " ".join([*(look.refused for look in looks), *(run.detail for run in runs)])
    absent = {name for name in _ABSENT.findall(said) if name.partition(".")[0] != task.module.partition(".")[0]}
    if absent:
        yield Finding("missing_package", f"{', '.join(sorted(absent))} cannot be imported by a candidate here")


def _reference(
    task: Task, looks: Sequence[Look], runs: Sequence[ReferenceRun], solves_plainly: bool | None
) -> Iterator[Finding]:
    refused = [look.refused for look in looks if look.refused]
    solved = sum(run.solved for run in runs)
    failing = next((run for run in runs if not run.solved), None)
    if (runs and 0 < solved < len(runs)) or 0 < len(refused) < len(looks) or _sometimes(looks):
        yield Finding("flaky", f"{solved} of {len(runs)} runs solve: {_first_failing(looks) or refused[0]}")
    elif refused and (solves_plainly or parse(task.tests) is None or (solves_plainly is None and (not runs or solved))):
        yield Finding("unsupported", refused[0])
    elif solves_plainly is False or failing is not None:
        why = _why(failing) if failing is not None else refused[0]
        yield Finding("broken_reference", f"0 of {max(len(runs), len(looks))} runs solve: {why}")


def _sometimes(looks: Sequence[Look]) -> bool:
    """Whether a test passes in one run of the reference and not in another."""
    runs = [(look.tests, {name.rpartition(" ")[0] for name in run.failing}) for look in looks for run in look.reference]
    passed = {test for tests, failing in runs for test in tests if test not in failing}
    return any(failing & passed for _, failing in runs)


def _first_failing(looks: Sequence[Look]) -> str:
    for look in looks:
        for run in look.reference:
            if not run.solved:
                days = look.world * STEP_S // 86400
                order = {0: "as in the file", 1: "reversed"}.get(run.order, f"shuffled by {run.order}")
                return f"{_why(run)} (order {order}, hash seed {look.world}, clock {days} days ahead)"
    return ""


def _why(run: ReferenceRun) -> str:
    status = [] if run.status == "scored" and not run.detail else [run.detail or run.status]
    rest = f" and {len(run.failing) - 3} more" if len(run.failing) > 3 else ""
    return ", ".join([*status, *run.failing[:3]]) + rest or "no test counts"


def stub_floor(looks: Sequence[Look]) -> tuple[str, int, int] | None:
    """(label of the stub that passes most tests in one run, how many, how many there are); None without stubs."""
    best = [
        (max(passed), label, look.total)
        for look in looks
        for label, passed in look.stubs.items()
        if look.total and passed
    ]
    if not best:
        return None
    passed, label, total = max(best, key=lambda one: one[0])
    return label, passed, total


def _stubs(looks: Sequence[Look]) -> Iterator[Finding]:
    floor = stub_floor(looks)
    if floor is None or not floor[1]:
        return
    label, passed, total = floor
    if passed == total:
        yield Finding("null_grader", f"{label} passes all {total} tests{_how_often(looks, label)}")
    else:
        yield Finding("stub_passes_test", f"{label} passes {passed} of {total} tests{_how_often(looks, label)}")


def _how_often(looks: Sequence[Look], label: str) -> str:
    counts = Counter(passed for look in looks for passed in look.stubs.get(label, ()))
    return f" in {counts[max(counts)]} of {counts.total()} runs" if len(counts) > 1 else ""


def _slow(task: Task, runs: Sequence[ReferenceRun]) -> Iterator[Finding]:
    seconds = median([run.seconds for run in runs]) if runs else 0.0
    if seconds > min(SLOW_S, task.timeout_s / 2):
        yield Finding("slow", f"the reference takes {seconds:.2f} s of {task.timeout_s:g} s")
