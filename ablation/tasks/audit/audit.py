"""The audit of a whole set of tasks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from ablation.scoring.environment import World
from ablation.scoring.pool import ScoringPool
from ablation.tasks.audit.copies import find_copies
from ablation.tasks.audit.execution import look_at
from ablation.tasks.audit.findings import Audit, Finding
from ablation.tasks.audit.judging import judge
from ablation.tasks.audit.looks import PLAINLY, Look
from ablation.tasks.audit.plain import look_plainly
from ablation.tasks.audit.static import text_findings
from ablation.tasks.audit.worlds import BASE, is_sensitive, worlds
from ablation.tasks.task import Task

# A task with one of these cannot be run as meant, which is no second fault of its reference.
_CAUSES = {"no_tests", "missing_package", "needs_network"}
_CONSEQUENCES = {"unsupported", "broken_reference", "flaky"}

Looks = dict[str, dict[int, Look]]  # by task_id and world
Pools = Callable[[World], AbstractContextManager[ScoringPool]]


def due(tasks: Sequence[Task], repeats: int) -> int:
    """How many looks an audit takes at most."""
    everywhere = len(worlds(repeats))
    return sum(everywhere if _goes_everywhere(task) else min(BASE, everywhere) for task in tasks)


def look_at_all(tasks: Sequence[Task], looks: Looks, pools: Pools, repeats: int) -> Iterator[tuple[Task, Look]]:
    """Adds the looks that are lacking, world after world, and yields each when it is there.

    What the verifier refuses in every base world is looked at by plain pytest, and no further.
    """
    for number, world in enumerate(worlds(repeats)):
        wanted = tasks if number < BASE else [t for t in tasks if _goes_everywhere(t) and not _refused(t, looks)]
        todo = [task for task in wanted if number not in looks.get(task.task_id, {})]
        if todo:
            with pools(world) as pool:
                yield from _added(look_at(todo, number, repeats, pool), looks)
    doubtful = [task for task in tasks if _refused(task, looks) and PLAINLY not in looks[task.task_id]]
    if doubtful:
        with pools(World()) as pool:
            yield from _added(look_plainly(doubtful, pool), looks)


def audits(tasks: Sequence[Task], looks: Looks) -> list[Audit]:
    """What the audit says of each task, in task order."""
    copies = find_copies(tasks)
    return [Audit(task.task_id, _of_one(task, looks[task.task_id], copies)) for task in tasks]


def _added(found: Iterator[tuple[Task, Look]], looks: Looks) -> Iterator[tuple[Task, Look]]:
    for task, look in found:
        looks.setdefault(task.task_id, {})[look.world] = look
        yield task, look


def _goes_everywhere(task: Task) -> bool:
    return task.reference is not None and is_sensitive(task)


def _refused(task: Task, looks: Looks) -> bool:
    return all(look.refused for look in looks[task.task_id].values() if look.world != PLAINLY)


def _of_one(task: Task, looks: Mapping[int, Look], copies: Mapping[str, Finding]) -> tuple[Finding, ...]:
    copy = [copies[task.task_id]] if task.task_id in copies else []
    executed = judge(task, [looks[world] for world in sorted(looks)])
    found = [*text_findings(task), *copy, *executed]
    caused = any(finding.kind in _CAUSES for finding in found)
    kept = [finding for finding in found if not (caused and finding.kind in _CONSEQUENCES)]
    return tuple({finding.kind: finding for finding in reversed(kept)}.values())[::-1]  # one of a kind
