"""The manifest of an audited set: which tasks were accepted, and how loading keeps to it."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from ablation.config import ConfigError
from ablation.tasks.task import Task

BUNDLED = "bundled:"  # before the name of a manifest that the package ships
FOLDER = Path(__file__).parent / "manifests"
FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """The accepted tasks of a set as {task_id: hash}, in task order."""

    tasks: Mapping[str, str]


@dataclass(frozen=True)
class Gated:
    """The tasks that a manifest lets through, and what it says of the others."""

    tasks: list[Task]
    changed: int  # of these: accepted under this task_id, but with another content
    left_out: int  # not listed: rejected, or never audited


def task_hash(task: Task) -> str:
    """Twelve hex digits of everything in the task.

    Fields at their default are left out, so that a field that a later version adds changes no hash.
    """
    content = {f.name: getattr(task, f.name) for f in fields(task) if getattr(task, f.name) != f.default}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def gate(tasks: Iterable[Task], manifest: Manifest) -> Gated:
    """Keeps the tasks whose ``task_id`` the manifest lists, and counts those that are not what was audited."""
    tasks = list(tasks)
    kept = [task for task in tasks if task.task_id in manifest.tasks]
    changed = sum(task_hash(task) != manifest.tasks[task.task_id] for task in kept)
    return Gated(kept, changed, len(tasks) - len(kept))


def manifest_content(accepted: Sequence[Task], about: Mapping[str, Any]) -> str:
    """The text of ``manifest.json``: exactly the accepted tasks, and ``about`` the set and its audit."""
    listed = {task.task_id: task_hash(task) for task in accepted}
    return json.dumps({"format": FORMAT, **about, "tasks": listed}, indent=1) + "\n"


def read_manifest(name: str) -> Manifest:
    """Returns the manifest at the path ``name``, or the bundled one of that name after ``bundled:``.

    Raises ConfigError when there is none or it is no manifest.
    """
    path = _path(name)
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"tasks.manifest={name} cannot be read ({reason}); expected the manifest.json of "
            "`python -m ablation.audit tasks=… out=DIR`: type tasks.manifest=DIR/manifest.json, or =null to go without."
        ) from error


def _path(name: str) -> Path:
    if not name.startswith(BUNDLED):
        return Path(name).expanduser()
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    wanted = name.removeprefix(BUNDLED)
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)[0]
        raise ConfigError(f"tasks.manifest={name} is not bundled; did you mean tasks.manifest={BUNDLED}{close}?")
    return FOLDER / f"{wanted}.json"


@lru_cache(maxsize=4)
def _parsed(text: str) -> Manifest:
    content = json.loads(text)
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}, expected {FORMAT}")
    tasks = dict(content["tasks"])
    if not all(isinstance(digest, str) for digest in tasks.values()):
        raise ValueError("a hash is no string")
    return Manifest(tasks)
