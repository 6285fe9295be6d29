"""Looks at tasks: the reference, the empty solution and stubs, run again and again in one world."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ablation.scoring.examination import Examination, Run, Series
from ablation.scoring.pool import ScoringPool
from ablation.scoring.verdict import Verdict
from ablation.tasks.audit.looks import Look, reference_run
from ablation.tasks.audit.stubs import Stub, fenced, stubs
from ablation.tasks.audit.worlds import BASE, runs_in
from ablation.tasks.task import Task

_LATE = "deadline passed"  # as the evaluator says it
PATIENCE = 5  # times the task's limit, where a machine that is busy may have been what was slow


def look_at(tasks: Iterable[Task], world: int, repeats: int, pool: ScoringPool) -> Iterator[tuple[Task, Look]]:
    """Each task with what is seen of it in the pool's world, in any order. Stubs are run in the base worlds alone.

    A reference that overran its time in some runs, and not in all, is looked at again with more time, and what is
    then seen counts, unless it overruns again: this tells a reference that hangs now and then from a busy machine.
    """
    hasty: list[Task] = []
    for task, look in _looks(tasks, world, repeats, pool):
        if _overran(look):
            hasty.append(task)
        else:
            yield task, look
    first = dict(zip([task.task_id for task in hasty], hasty, strict=True))
    patient = [replace(task, timeout_s=PATIENCE * task.timeout_s) for task in hasty]
    for task, look in _looks(patient, world, repeats, pool):
        yield first[task.task_id], look


def _overran(look: Look) -> bool:
    """Whether the reference ran out of time once, and at another time solved, if only when the task was prepared."""
    late = [run.status == "timeout" or _LATE in run.detail for run in look.reference]
    if look.refused:
        return _LATE in look.refused and any(run.solved for run in look.reference)
    return any(late)


def _looks(tasks: Iterable[Task], world: int, repeats: int, pool: ScoringPool) -> Iterator[tuple[Task, Look]]:
    """Each task with what is seen of it.

    A task that the verifier refuses is run again without its reference, which it then cannot refuse for failing: so a
    reference that fails is told from one that fails sometimes.
    """
    runs = runs_in(world, repeats)
    tried: dict[str, list[Stub]] = {}
    refused: dict[str, tuple[Task, str]] = {}  # that have a reference, and why

    def whole(task: Task) -> Examination:
        tried[task.task_id] = stubs(task) if world < BASE else []
        return _examination(task, tried[task.task_id], runs)

    for examination, verdicts in pool.examine(map(whole, tasks)):
        task = examination.task
        found, why = tried.pop(task.task_id), _refusal(verdicts)
        if why and task.reference is not None:
            refused[task.task_id] = task, why
        elif why:
            yield task, Look(world, refused=why)
        else:
            yield task, _look(world, found, runs, verdicts)
    hidden = (_examination(replace(task, reference=None), [], runs, task.reference) for task, _ in refused.values())
    for examination, verdicts in pool.examine(hidden):
        task, why = refused[examination.task.task_id]
        known = [] if _refusal(verdicts) else verdicts
        yield task, replace(_look(world, [], runs, known), refused=why)


def _examination(task: Task, tried: Sequence[Stub], runs: tuple[Run, ...], reference: str | None = None) -> Examination:
    reference = reference if reference is not None else task.reference
    series = [Series(fenced(reference), runs)] if reference is not None else []
    return Examination(task, (*series, *(Series(stub.source, runs, ours=True) for stub in tried)))


def _refusal(verdicts: Sequence[Verdict]) -> str:
    return next((verdict.detail or verdict.status for verdict in verdicts if not verdict.scored), "")


def _look(world: int, tried: Sequence[Stub], runs: Sequence[Run], verdicts: Sequence[Verdict]) -> Look:
    """``verdicts`` are those of the reference, if it was run, and then those of the stubs."""
    own, of_stubs = verdicts[: -len(tried) * len(runs) or None], verdicts[len(verdicts) - len(tried) * len(runs) :]
    passed = [verdict.passed for verdict in of_stubs]
    return Look(
        world,
        max((tuple(verdict.tests) for verdict in verdicts), key=_length, default=()),
        tuple(reference_run(run.order, verdict) for run, verdict in zip(runs, own, strict=False)),
        {stub.label: passed[at * len(runs) : (at + 1) * len(runs)] for at, stub in enumerate(tried)},
    )


def _length(names: tuple[str, ...]) -> int:
    return len(names)
