"""``python -m ablation.audit tasks=… out=DIR``: which tasks of a set can be trained on, and why not the others.

Writes ``audit.jsonl``, ``audit.html`` and ``manifest.json`` to DIR; ``tasks.manifest=DIR/manifest.json`` trains on the
accepted tasks. What of the set cannot be read is listed by file, row and field, and makes the exit code 2 with
``strict=true`` alone. What was seen of each task is kept in ``looks.jsonl``: the same command goes on after a kill,
and looks at what is new when the set has grown.
"""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ablation.composing import compose_config, report_config_errors
from ablation.config import Config, ConfigError
from ablation.machine import usable_cores
from ablation.scoring.containment.choose import choose
from ablation.scoring.environment import World
from ablation.scoring.pool import ScoringPool
from ablation.tasks.audit import report
from ablation.tasks.audit.audit import audits, due, look_at_all
from ablation.tasks.audit.store import opened
from ablation.tasks.load import NoTasksError, load_every_task
from ablation.tasks.task import Task

USAGE = "type `python -m ablation.audit tasks=katas out=runs/audit`"
LISTED = 50  # faults of a set that are named on the terminal
INTERRUPTED = 130  # exit code, as a shell has it


def run(config: Config, folder: Path) -> None:
    """Audits the task set of ``config``, writes its files to ``folder`` and prints the table."""
    try:
        splits = load_every_task(config.tasks)
    except NoTasksError as error:
        if config.tasks.strict:
            raise
        print(f"warning: {error}", file=sys.stderr)
        _list(error.left_out)
        return
    _list(splits.left_out)
    tasks, repeats, sandbox = unique(splits.tasks), config.tasks.audit_repeats, config.scoring.sandbox

    def pools(world: World) -> AbstractContextManager[ScoringPool]:
        return ScoringPool(usable_cores(), sandbox, world)

    settings = report.settings(repeats, choose(sandbox).tier.name)
    with opened(folder, tasks, settings) as store:
        known = sum(map(len, store.looks.values()))
        with tqdm(total=due(tasks, repeats), initial=known, desc="Auditing", unit="look", mininterval=1) as bar:
            for task, look in look_at_all(tasks, store.looks, pools, repeats):
                store.add(task, look)
                bar.update()
            bar.total = bar.n  # what is refused everywhere is not looked at further
        source = {k: v for k, v in asdict(config.tasks).items() if k not in ("manifest", "audit_repeats")}
        found = audits(tasks, store.looks)
        report.write(
            folder,
            tasks,
            found,
            store.looks,
            report.about(source, splits.fingerprint, found, settings, splits.left_out),
        )
    print(report.table(found))
    print(f"Page: {folder / 'audit.html'}")
    print(f"Train on the accepted tasks with tasks.manifest={folder / 'manifest.json'}")


def _list(left_out: Mapping[str, str]) -> None:
    """Name on stderr what of the set cannot be used."""
    for where, why in list(left_out.items())[:LISTED]:
        print(f"left out: {where}: {why}", file=sys.stderr)
    if len(left_out) > LISTED:
        print(f"left out: {len(left_out) - LISTED} more, see left_out in manifest.json", file=sys.stderr)


def unique(tasks: list[Task]) -> list[Task]:
    """The tasks, each of which has a ``task_id`` of its own. Raises ConfigError."""
    seen: set[str] = set()
    for task in tasks:
        if task.task_id in seen:
            raise ConfigError(
                f"two tasks are called {task.task_id!r}, expected a task_id for each; rename one of them in the set."
            )
        seen.add(task.task_id)
    return tasks


def main() -> None:
    """Exits 0 whatever was found, 2 when the command line or, if it is to be strict, the set cannot be used."""
    with report_config_errors():
        folders = [argument.removeprefix("out=") for argument in sys.argv[1:] if argument.startswith("out=")]
        if len(folders) != 1 or not folders[0]:
            raise ConfigError(f"found {len(folders)} folders to write to, expected one out=DIR; {USAGE}.")
        typed = [argument for argument in sys.argv[1:] if not argument.startswith("out=")]
        config = compose_config([f"tasks.{one}" if one.startswith("strict=") else one for one in typed])
        try:
            run(config, Path(folders[0]))
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on from here.", file=sys.stderr)
            sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
