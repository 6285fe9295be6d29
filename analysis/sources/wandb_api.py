"""A project on a W&B server, ``wandb:ENTITY/PROJECT``: complete histories of all its runs."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from analysis.errors import AnalysisError
from analysis.history import number
from analysis.sources.naming import RECOGNISED, Naming
from analysis.sources.study import Link, Study
from analysis.sources.wandb_errors import told
from analysis.sources.wandb_items import Item
from analysis.sources.wandb_runs import Run, check_any, study_of

PREFIX = "wandb:"
THREADS = 4  # histories at once
_STATUS = {"finished": "complete", "running": "running", "pending": "running"}


def recognises(source: str) -> bool:
    """Whether ``source`` begins with wandb: (a folder of that name would be given as ./wandb:…)."""
    return source.startswith(PREFIX)


def read(source: str, naming: Naming = RECOGNISED) -> Study:
    """The study of all runs of a project.

    Raises:
        AnalysisError: the source names no entity and project, or the server does not give its runs.
    """
    path = source.removeprefix(PREFIX).strip("/")
    if path.count("/") != 1:
        raise AnalysisError(f"{source} names no project where wandb:ENTITY/PROJECT is expected: type both names.")
    import wandb  # which takes a second that other sources need not pay

    with told(f"{source} cannot be read"), ThreadPoolExecutor(THREADS) as pool:
        # Lazy runs would cost a query each for their config.
        found = sorted(wandb.Api().runs(path, lazy=False), key=lambda run: str(run.created_at))
        runs = list(pool.map(_run, found))
    check_any(runs, source, ())
    return study_of(runs, path.split("/")[1], naming)


def _run(run: Any) -> Run:
    odd: set[str] = set()
    # Neither keys= (rows that lack one are dropped) nor the cache (which misses what a run logged since),
    # nor history() (a sample).
    items = [_item(row, odd) for row in run.scan_history(use_cache=False)]
    problems = (
        [f"Run {run.id}: {len(odd)} keys hold no numbers and were left out ({', '.join(sorted(odd)[:5])})."]
        if odd
        else []
    )
    status = _STATUS.get(run.state, "failed")
    return Run(
        run_id=run.id,
        name=run.name or "",
        project=run.project,
        group=run.group or "",
        job_type=run.job_type or "",
        tags=tuple(run.tags or ()),
        config=run.config,
        status=status,
        links=(Link(0, str(run.created_at), None, None if status == "running" else run.state, None, None, {}),),
        parts=(items,),
        problems=tuple(problems),
    )


def _item(row: Mapping[str, Any], odd: set[str]) -> Item:
    values: dict[str, float] = {}
    for key, value in _flat(row):
        found = number(value)
        if found is None:
            odd.add(key)
        else:
            values[key] = found
    return values


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested keys joined with dots, as offline logs are read."""
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
