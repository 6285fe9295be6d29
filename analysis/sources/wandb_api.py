"""A project on a W&B server, ``wandb:ENTITY/PROJECT``: complete histories of all its runs.

Rows that were pulled before are kept below W&B's cache folder (``WANDB_CACHE_DIR``), see `wandb_pulled`.
"""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from analysis.errors import AnalysisError
from analysis.history import number
from analysis.sources.naming import RECOGNISED, Naming
from analysis.sources.study import Link, Study
from analysis.sources.wandb_errors import told
from analysis.sources.wandb_items import Item
from analysis.sources.wandb_pulled import Pulled, Stamp, pull
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
        api = wandb.Api()
        found = sorted(api.runs(path, lazy=False), key=lambda run: str(run.created_at))
        folder = _cache(str(api.settings["base_url"])) / path
        runs = list(pool.map(partial(_run, folder), found))
    check_any(runs, source, ())
    return study_of(runs, path.split("/")[1], naming)


def _cache(server: str) -> Path:
    """The folder for what is pulled from a server."""
    from wandb.env import get_cache_dir

    return Path(get_cache_dir()) / "ablation" / re.sub(r"[^\w.-]+", "-", server.split("://")[-1])


def _run(folder: Path, run: Any) -> Run:
    items, odd, unkept = pull(folder / f"{quote(run.id, safe='')}.parquet", _stamp(run), partial(_scan, run))
    problems = []
    if odd:
        keys = ", ".join(sorted(odd)[:5])
        problems.append(f"Run {run.id}: {len(odd)} keys hold no numbers and were left out ({keys}).")
    if unkept:
        problems.append(f"Run {run.id}: what was pulled cannot be kept for the next time ({unkept}).")
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


def _stamp(run: Any) -> Stamp:
    return Stamp(
        run=run.storage_id,
        created=str(run.created_at),
        heartbeat=str(run.heartbeat_at),
        running=_STATUS.get(run.state) == "running",
        lines=run.history_line_count,
        last_step=run.lastHistoryStep,
    )


def _scan(run: Any, first: int) -> Pulled:
    """The items of a run from a step on, as the server has them now."""
    odd: set[str] = set()
    # Neither keys= (rows that lack one are dropped) nor the client's cache (which misses what a run logged since),
    # nor history() (a sample).
    items = [_item(row, odd) for row in run.scan_history(min_step=first, use_cache=False)]
    return Pulled(items, frozenset(odd))


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
