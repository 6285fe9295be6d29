"""What one process logged to W&B: one ``.wandb`` file, read into numbers, config and how it ended."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from analysis.errors import AnalysisError
from analysis.history import number
from analysis.sources.wandb_items import Item
from analysis.sources.wandb_log import Damage, read_log
from analysis.sources.wandb_messages import RunRecord


class Job(NamedTuple):
    """One ``.wandb`` file: what one process logged."""

    run: Any  # a RunRecord
    config: dict[str, Any]
    items: list[Item]
    exit_code: int | None  # None: it was killed, or it runs
    problems: list[str]

    @property
    def started(self) -> float:
        """Seconds since 1970."""
        return self.run.start_time.seconds + self.run.start_time.nanos / 1e9


def read_job(path: Path) -> Job:
    """One ``.wandb`` file, with sentences on what in it could not be read or is no number.

    Raises:
        AnalysisError: it is no W&B log, or names no run.
        OSError: it cannot be read.
    """
    run, exit_code = RunRecord(), None
    config: dict[str, Any] = {}
    items: list[Item] = []
    odd: set[str] = set()
    problems: list[str] = []
    for record in read_log(path):
        if isinstance(record, Damage):
            problems.append(_damaged(path, record))
            continue
        kind = record.WhichOneof("record_type")
        if kind == "history":
            items.append(_item(record.history, odd))
        elif kind == "run":
            run = record.run
            _configure(config, record.run.config)
        elif kind == "config":
            _configure(config, record.config)
        elif kind == "exit":
            exit_code = record.exit.exit_code
    if not run.run_id:
        raise AnalysisError(f"{path} names no run, as a job leaves it that was killed at its start: it was left out.")
    if odd:
        problems.append(f"{path.name}: {len(odd)} keys hold no numbers and were left out ({_some(odd)}).")
    return Job(run, config, items, exit_code, problems)


def _item(history: Any, odd: set[str]) -> Item:
    values: dict[str, float] = {}
    for entry in history.item:
        nested = entry.nested_key
        key = nested[0] if len(nested) == 1 else ".".join(nested) or entry.key  # joining costs more than all else
        text = entry.value_json
        try:
            values[key] = float(text)  # which takes NaN and Infinity as the client writes them
        except ValueError:
            value = number(_json(text) if text else _typed(entry))
            if value is None:
                odd.add(key)
            else:
                values[key] = value
    return values


def _typed(entry: Any) -> Any:
    """The value of an entry that has it in a field of its type, for which the format has room."""
    kind = entry.WhichOneof("value")
    if kind == "none":
        return None
    value = getattr(entry, kind) if kind else ""
    return _json(value) if kind == "json" else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _configure(config: dict[str, Any], change: Any) -> None:
    """Apply one record to a config, as the server would."""
    for entry in change.update:
        *above, last = entry.nested_key or (entry.key,)
        if (above or [last])[0] == "_wandb":
            continue  # the client's own notes
        inner = config
        for key in above:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[last] = _json(entry.value_json)
    for entry in change.remove:
        *above, last = entry.nested_key or (entry.key,)
        inner = config
        for key in above:
            inner = inner[key] if isinstance(inner.get(key), dict) else {}
        inner.pop(last, None)


def _damaged(path: Path, damage: Damage) -> str:
    if damage.torn:
        return (
            f"{path.name} ends in the middle of a record ({damage.size} bytes), as a kill or a run that is still "
            "being written leaves it; what is before was kept."
        )
    lost = f", {damage.records} records" if damage.records is not None else ""
    return f"{path.name} is damaged from byte {damage.offset} on ({damage.size} bytes{lost}); the rest was kept."


def _some(keys: set[str]) -> str:
    shown = sorted(keys)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
