"""From a configuration to the tasks of its three splits, as its manifest allows."""

import difflib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

from ablation.config import ConfigError, TasksConfig
from ablation.tasks import humaneval, jsonl, katas, mbpp
from ablation.tasks.audited import Audited, audited
from ablation.tasks.harbor import load as harbor
from ablation.tasks.harbor import parquet as harbor_parquet
from ablation.tasks.manifest import Gated, gate, read_manifest
from ablation.tasks.reading import Fault, Found, Read, collect
from ablation.tasks.splits import largest_cluster, split_tasks
from ablation.tasks.task import Task

Loader = Callable[[TasksConfig], Iterable[Read | Fault]]
SPLITS = ("train", "validation", "test")
_SAID = "ABLATION_SAID"  # inherited by the processes of a sweep, which would repeat what was said


class NoTasksError(ConfigError):
    """A set in which no task can be used."""

    def __init__(self, sentence: str, left_out: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.left_out = left_out  # {where: why}


@dataclass(frozen=True)
class TaskSplits:
    """Chains train on ``train``; ``validation`` may choose between checkpoints; ``test`` never chooses."""

    train: list[Task]
    validation: list[Task]
    test: list[Task]
    audit: Audited = field(default_factory=Audited)
    left_out: Mapping[str, str] = field(default_factory=dict)  # {where: why}: what of the set cannot be used

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of everything in the tasks, in order."""
        content = [[_content(task) for task in split] for split in (self.train, self.validation, self.test)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def tasks(self) -> list[Task]:
        """All tasks, split by split."""
        return [*self.train, *self.validation, *self.test]


def load_tasks(config: TasksConfig) -> TaskSplits:
    """Returns the splits of ``config`` without the tasks that its manifest does not accept.

    Says once, on stderr, what is left out and whether the set was never audited or has changed since.
    Raises ConfigError for an unknown source, an impossible size, a manifest that cannot be read, or one that
    leaves a split empty.
    """
    splits = load_every_task(config)
    _refuse_empty(splits, config)
    if config.manifest is None:
        say_once(f"tasks={config.name} were not audited (tasks.manifest=null); {_advice(config)}.")
        return replace(splits, audit=Audited(tasks=len(splits.tasks)))
    manifest = read_manifest(config.manifest)
    gated = {split: gate(getattr(splits, split), manifest) for split in SPLITS}
    for split, kept in gated.items():
        if not kept.tasks:
            raise ConfigError(
                f"tasks.manifest={config.manifest} accepts none of the {kept.left_out} tasks of the {split} split; "
                f"{_advice(config)}."
            )
    _report(config, len(splits.tasks), list(gated.values()))
    train, validation, test = (gated[split].tasks for split in SPLITS)
    return replace(splits, train=train, validation=validation, test=test, audit=audited(manifest, gated.values()))


def load_every_task(config: TasksConfig) -> TaskSplits:
    """Returns the splits of ``config`` whatever its manifest says, empty ones too.

    Raises ConfigError as ``load_tasks`` does, NoTasksError where no task can be used.
    """
    if config.name not in _SOURCES:
        close = difflib.get_close_matches(config.name, _SOURCES, n=1, cutoff=0.0)
        raise ConfigError(f"tasks.name={config.name!r} is unknown; did you mean tasks={close[0]}?")
    return _SOURCES[config.name](config)


def _content(task: Task) -> dict[str, Any]:
    """Everything in a task; a script that it does not have leaves no trace, as before there were any."""
    content = asdict(task)
    if task.script is None:
        del content["script"]
    return content


def _made(config: TasksConfig) -> TaskSplits:
    """Katas, which are made here for the sizes that are asked for."""
    for key, default in {"path": None, "max_timeout_s": None, "slow_path": False}.items():
        if (value := getattr(config, key)) != default:
            raise ConfigError(f"tasks.{key}={value} has no use: katas are made here; leave it {json.dumps(default)}.")
    try:
        return _katas(config.train, config.validation, config.test, config.seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error


@lru_cache(maxsize=4)
def _katas(train: int, validation: int, test: int, seed: int) -> TaskSplits:
    splits = katas.make_splits({"test": test, "validation": validation, "train": train}, seed)
    return TaskSplits(splits["train"], splits["validation"], splits["test"])


def _read(loader: Loader, config: TasksConfig) -> TaskSplits:
    """What ``loader`` finds at ``tasks.path``, split by content."""
    return _read_once(loader, json.dumps(asdict(replace(config, manifest=None))))


@lru_cache(maxsize=2)
def _read_once(loader: Loader, values: str) -> TaskSplits:
    config = TasksConfig(**json.loads(values))
    found = collect(loader(config), strict=config.strict)
    if not found.tasks:
        why = [f"; {where}: {reason}" for where, reason in list(found.left_out.items())[:1]]
        raise NoTasksError(
            f"tasks.path={config.path} holds no task that can be used ({len(found.left_out)} cannot{''.join(why)}); "
            f"expected a set for tasks={config.name}.",
            found.left_out,
        )
    _say_found(config, found)
    splits = split_tasks(found.tasks, {split: getattr(config, split) for split in SPLITS}, config.seed)
    if unused := len(found.tasks) - sum(map(len, splits.values())):
        full = ", ".join(
            f"tasks.{name}={len(tasks)}" for name, tasks in splits.items() if len(tasks) == getattr(config, name)
        )
        say_once(
            f"{unused} of {len(found.tasks)} tasks in tasks.path={config.path} are not used: {full} are all taken."
        )
    return TaskSplits(splits["train"], splits["validation"], splits["test"], left_out=found.left_out)


def _refuse_empty(splits: TaskSplits, config: TasksConfig) -> None:
    """Raises ConfigError when a split has no task."""
    for split in SPLITS:
        if not getattr(splits, split):
            raise ConfigError(
                f"none of the tasks in tasks.path={config.path} falls into the {split} split "
                f"(near-duplicates stay together, {largest_cluster(splits.tasks)} at most); "
                f"another tasks.seed, such as tasks.seed={config.seed + 1}, splits them otherwise."
            )


_SOURCES: Mapping[str, Callable[[TasksConfig], TaskSplits]] = {
    "katas": _made,
    "harbor": partial(_read, harbor.read_tasks),
    "harbor_parquet": partial(_read, harbor_parquet.read_tasks),
    "humaneval": partial(_read, humaneval.read_tasks),
    "mbpp": partial(_read, mbpp.read_tasks),
    "jsonl": partial(_read, jsonl.read_tasks),
}


def _say_found(config: TasksConfig, found: Found) -> None:
    total = len(found.tasks) + len(found.left_out)
    for what, reasons in {
        "are left out": found.left_out,
        "count as without a reference although they ship a solution": found.without_reference,
        "have assertions that share a test": found.joined,
    }.items():
        if reasons:
            where, reason = next(iter(reasons.items()))
            say_once(
                f"{len(reasons)} of {total} tasks in tasks.path={config.path} {what}; the first, {where}: {reason}."
            )


def _report(config: TasksConfig, total: int, gated: list[Gated]) -> None:
    left_out, changed = sum(kept.left_out for kept in gated), sum(kept.changed for kept in gated)
    if left_out:
        say_once(
            f"{left_out} of {total} tasks are left out, because tasks.manifest={config.manifest} does not accept them."
        )
    if changed:
        say_once(
            f"{changed} of {total} tasks changed since the audit of tasks.manifest={config.manifest}; "
            f"{_advice(config)}."
        )


def _advice(config: TasksConfig) -> str:
    typed = f"tasks={config.name}" + (f" tasks.path='{config.path}'" if config.path else "")
    return (
        f"type `python -m ablation.audit {typed} out=DIR` with the same tasks.* keys, then "
        "tasks.manifest=DIR/manifest.json"
    )


def say_once(sentence: str) -> None:
    """Warns on stderr, unless this process or one that it descends from said the same before."""
    digest = hashlib.sha256(sentence.encode()).hexdigest()[:12]
    said = os.environ.get(_SAID, "").split()
    if digest not in said:
        print(f"warning: {sentence}", file=sys.stderr, flush=True)
        os.environ[_SAID] = " ".join([*said, digest])
