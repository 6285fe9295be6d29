"""What a loader yields, and how a set is made of it: good tasks are kept, everything else is counted and named."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ablation.config import ConfigError
from ablation.tasks.task import Task


class TaskError(ValueError):
    """A task that cannot be used; one sentence that names the file or field, what was found and what was expected."""


class Read(NamedTuple):
    """A task that was read."""

    where: str  # file and row, or folder
    task: Task
    no_reference: str = ""  # why it has none although a solution comes with it
    joined: str = ""  # why some of its assertions could not become tests of their own


class Fault(NamedTuple):
    """Something that is no task that can be used."""

    where: str  # file, and row where there is one
    why: str  # field, what was found, what was expected


@dataclass
class Found:
    """The tasks of a set in the order of their source, and what is to be said of the others, as {where: why}."""

    tasks: list[Task] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    without_reference: dict[str, str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)


def collect(readings: Iterable[Read | Fault], *, strict: bool) -> Found:
    """Everything that a loader yields; of tasks with one ``task_id`` the first is kept.

    Raises ConfigError for the first fault if ``strict``.
    """
    found = Found()
    places: dict[str, str] = {}
    for reading in readings:
        if isinstance(reading, Read):
            task_id = reading.task.task_id
            if task_id in places:
                reading = Fault(reading.where, f"its task_id {task_id!r} is already that of {places[task_id]}")
            places.setdefault(task_id, reading.where)
        if isinstance(reading, Fault):
            if strict:
                raise ConfigError(f"{reading.where}: {reading.why}; tasks.strict=false leaves it out.")
            found.left_out[reading.where] = reading.why
            continue
        found.tasks.append(reading.task)
        if reading.no_reference:
            found.without_reference[reading.where] = reading.no_reference
        if reading.joined:
            found.joined[reading.where] = reading.joined
    return found
