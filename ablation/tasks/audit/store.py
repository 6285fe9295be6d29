"""The looks of an audit on disk, so that one that was ended goes on where it stopped."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from ablation.config import ConfigError
from ablation.tasks.audit.audit import Looks
from ablation.tasks.audit.looks import Look
from ablation.tasks.manifest import task_hash
from ablation.tasks.task import Task

NAME = "looks.jsonl"


class Store:
    """The looks in an open file. A line is lost or whole, whenever the process is killed."""

    def __init__(self, file: TextIO, key: str, looks: Looks) -> None:
        self._file = file
        self._key = key
        self.looks = looks  # of the tasks and settings of this audit that were there already

    def add(self, task: Task, look: Look) -> None:
        """Keep a look."""
        self._file.write(_line(self._key, task_hash(task), look))
        self._file.flush()


@contextmanager
def opened(folder: Path, tasks: Sequence[Task], settings: Mapping[str, Any]) -> Iterator[Store]:
    """The store in ``folder``, which is made when absent, for this process alone.

    Looks of other tasks or under other settings are dropped.

    Raises:
        ConfigError: the folder cannot be written, or another audit is writing there.
    """
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            looks = _read(folder / NAME, {task_hash(task): task for task in tasks}, key)
            by_id = {task.task_id: task_hash(task) for task in tasks}
            known = (_line(key, by_id[name], look) for name, seen in looks.items() for look in seen.values())
            replace(folder / NAME, "".join(known))
            with (folder / NAME).open("a", encoding="utf-8") as file:
                yield Store(file, key, looks)
    except Timeout:
        raise ConfigError(f"another audit is writing to out={folder}; wait for it, or name another folder.") from None
    except OSError as error:
        raise ConfigError(
            f"out={folder} cannot be written ({error.strerror or error}); expected a folder of your own: type out=DIR."
        ) from error


def replace(path: Path, text: str) -> None:
    """Write a file that is complete or as it was before."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _line(key: str, digest: str, look: Look) -> str:
    return json.dumps({"key": key, "task": digest, **look.to_line()}, separators=(",", ":")) + "\n"


def _read(path: Path, tasks: Mapping[str, Task], key: str) -> Looks:
    looks: Looks = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            content = json.loads(line)
            mine, digest = content.pop("key"), content.pop("task")
            if mine == key and digest in tasks:
                look = Look.from_line(content)
                looks.setdefault(tasks[digest].task_id, {})[look.world] = look
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # cut off by a kill: it is looked at again
    return looks
