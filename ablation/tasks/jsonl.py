"""``tasks=jsonl``: the project's own format, one JSON object a line with the fields of ``Task``.

| field | value | |
|---|---|---|
| ``task_id`` | string, unique in the set | required |
| ``prompt`` | string: code that a completion continues, or an instruction | required |
| ``entry_point`` | string: the function or class that is asked for | required |
| ``tests`` | string: a pytest file that imports from ``module`` | required |
| ``reference`` | string: a module that passes every test; null: there is none | null |
| ``module`` | string: what the candidate's module is called | ``"solution"`` |
| ``timeout_s`` | number above 0: seconds for all tests of one candidate | 2.0 |
| ``script`` | ``[folder, [[path, content], …], memory_mb, fallback]``: tests by a script of their own; null | null |

Files end in .jsonl or .jsonl.gz; blank lines do not count.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

from ablation.config import TasksConfig
from ablation.scoring.suggest import did_you_mean
from ablation.tasks.places import Place, find_files
from ablation.tasks.reading import Fault, Read, TaskError
from ablation.tasks.task import Task

Entry = Mapping[str, Any]
_FIELDS = {field.name: field for field in fields(Task)}
_TEXTS = ("task_id", "prompt", "entry_point", "tests", "module")


def read_tasks(config: TasksConfig) -> Iterator[Read | Fault]:
    """The tasks in the files at ``tasks.path``, line by line. Raises ConfigError."""
    return read_entries(config, lambda where, entry: Read(where, _bounded(task_of(entry), config.max_timeout_s)))


def to_line(task: Task) -> str:
    """A task as a line of this format."""
    return json.dumps(asdict(task)) + "\n"


def task_of(entry: Entry) -> Task:
    """The task of one line. Raises TaskError."""
    for name in entry:
        if name not in _FIELDS:
            raise TaskError(f"{name} is no field of a task, expected {', '.join(_FIELDS)}{did_you_mean(name, _FIELDS)}")
    for name, field in _FIELDS.items():
        if name not in entry and field.default is MISSING:
            raise TaskError(f"{name} is missing, found {', '.join(sorted(entry)) or 'no field'}")
    for name in _TEXTS:
        if not isinstance(entry.get(name, ""), str):
            raise TaskError(f"{name} is {type(entry[name]).__name__}, expected a string")
    if not isinstance(entry.get("reference") or "", str):
        raise TaskError(f"reference is {type(entry['reference']).__name__}, expected a string or null")
    limit = entry.get("timeout_s", 1)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < float("inf"):
        raise TaskError(f"timeout_s is {limit!r}, expected seconds above 0")
    try:
        return Task(**entry)
    except (TypeError, ValueError) as error:
        raise TaskError(
            f"script cannot be used ({error}), expected [folder, [[path, content], …], memory_mb]"
        ) from None


def read_entries(config: TasksConfig, make: Callable[[str, Entry], Read]) -> Iterator[Read | Fault]:
    """What ``make``, given a place and an object, makes of each line at ``tasks.path``; it may raise TaskError.

    Raises ConfigError when there is no file.
    """
    for place in find_files(config.path, (".jsonl", ".jsonl.gz")):
        number = 0
        try:
            for number, line in enumerate(_lines(place), start=1):
                if line.strip():
                    yield _made(f"{place.name} line {number}", line, make)
        except (OSError, EOFError, zlib.error) as error:
            yield Fault(f"{place.name} after line {number}", f"it cannot be read ({error}); fetch or write it again")


def _lines(place: Place) -> Iterator[bytes]:
    with gzip.open(place.path) if place.path.suffix == ".gz" else place.path.open("rb") as lines:
        yield from lines


def _made(where: str, line: bytes, make: Callable[[str, Entry], Read]) -> Read | Fault:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Fault(where, f"it is no JSON ({error}); expected one object a line")
    if not isinstance(entry, dict):
        return Fault(where, f"it is {type(entry).__name__} in JSON, expected an object")
    try:
        return make(where, entry)
    except TaskError as error:
        return Fault(where, str(error))
    except RecursionError:
        return Fault(where, "its code is nested too deeply to be read")


def _bounded(task: Task, max_timeout_s: float | None) -> Task:
    return task if max_timeout_s is None else replace(task, timeout_s=min(task.timeout_s, max_timeout_s))
