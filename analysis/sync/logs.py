"""The ``.wandb`` logs of one run: found, put in order, and looked through."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ablation import metrics
from analysis.errors import AnalysisError
from analysis.sources.presets import OURS, PRESETS
from analysis.sources.wandb_items import CALL, Item
from analysis.sources.wandb_log import Damage, read_log
from analysis.sources.wandb_messages import RunRecord

LEASE = ".lease"  # in a chain's folder: touched every few seconds by whoever trains it
QUIET_S = 120.0  # since the last sign of life, from which on a log without an end counts as one of a killed process
_STAMP = "_timestamp"
_TOLD = {*(preset.step for preset in PRESETS), OURS.reward, metrics.LINK, CALL}  # what places a row in its chain


class Call(NamedTuple):
    """One row of a log: the number of its record, what places it in its chain, and what it is known by."""

    record: int
    item: Item
    stamp: int | None  # microseconds since 1970


@dataclass
class Log:
    """One ``.wandb`` file as it was when it was looked through: what one process (a link) logged."""

    path: Path
    run: Any  # a RunRecord
    size: int  # bytes
    sha256: str
    calls: list[Call] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    last_record: int = 0
    ended: bool = False  # whether its process said how it ended

    @property
    def started(self) -> float:
        """Seconds since 1970."""
        return self.run.start_time.seconds + self.run.start_time.nanos / 1e9


def find_logs(folders: Sequence[Path]) -> Iterator[Path]:
    """Every ``.wandb`` file under the folders, once; links such as latest-run are not followed."""
    seen = set()
    for folder in folders:
        for root, inner, names in os.walk(folder):
            inner[:] = sorted(name for name in inner if not (Path(root) / name).is_symlink())
            for path in (Path(root, name) for name in sorted(names) if name.endswith(".wandb")):
                if path.resolve() not in seen:
                    seen.add(path.resolve())
                    yield path


def look_through(path: Path) -> Log:
    """A log without its values, in memory that grows with its rows alone.

    Raises:
        AnalysisError: it is no W&B log, or names no run.
        OSError: it cannot be read.
    """
    log = Log(path, RunRecord(), *content_of(path))  # before it is read: what is written meanwhile is for the next call
    for record in read_log(path):
        if isinstance(record, Damage):
            log.damage.append(record)
            continue
        log.last_record = record.num
        if record.HasField("history"):
            log.calls.append(call_of(record.num, record.history))
        elif record.HasField("run"):
            log.run = record.run
        elif record.HasField("exit"):
            log.ended = True
    if not log.run.run_id:
        raise AnalysisError(f"{path} names no run, as a job leaves it that was killed at its start")
    return log


def content_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def call_of(record: int, history: Any) -> Call:
    """What places one row, and what it is known by."""
    item: dict[str, float] = {}
    stamp = None
    for entry in history.item:
        key = ".".join(entry.nested_key) or entry.key
        if key == _STAMP:
            stamp = stamp_of(entry.value_json)
        elif key in _TOLD:
            with contextlib.suppress(ValueError):  # words place nothing
                item[key] = float(entry.value_json)
    return Call(record, item, stamp)


def stamp_of(seconds: object) -> int | None:
    """A row's ``_timestamp`` as whole microseconds."""
    try:
        return round(float(seconds) * 1e6)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def in_order(logs: Sequence[Log]) -> list[Log]:
    """The logs of one run by their start; of copies, which have one start, the longest."""
    by_start = {log.started: log for log in sorted(logs, key=lambda log: (log.started, log.last_record))}
    return list(by_start.values())


def alive(logs: Sequence[Log], now_s: float | None = None) -> str:
    """Why a run may still be written, as the end of a sentence; empty when it is not."""
    now_s = time.time() if now_s is None else now_s
    for folder in {_chain_folder(log.path) for log in logs}:
        beat = _age(folder / LEASE, now_s)
        if beat is not None and beat < QUIET_S:
            return f"{folder.name} is being trained (its lease was touched {max(beat, 0):.0f} s ago)"
    for log in logs:
        age = _age(log.path, now_s)
        if not log.ended and age is not None and age < QUIET_S:
            return f"{log.path.name} has no end and was written {max(age, 0):.0f} s ago"
    return ""


def _chain_folder(log: Path) -> Path:
    """Of ``<chain>/wandb/<run folder>/<log>`` the chain."""
    return log.absolute().parent.parent.parent


def _age(path: Path, now_s: float) -> float | None:
    try:
        return now_s - path.stat().st_mtime
    except OSError:
        return None
