"""How one chain stands: whether it runs, how fast, until when, and what happened to it last."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ablation import metrics
from ablation.chain_files import LEASE, LinkSeen, RecordSeen, Tail, end_of, last_written, read_record, read_tail
from ablation.printing import last_error, span

# What chain.json says, in the words of this command.
WORDS = {
    "new": "waiting",
    "running": "running",
    "complete": "finished",
    "stopped": "interrupted",
    "failed": "failed",
}
# A step of a large model takes most of an hour, a start some minutes: silence says nothing before both are over.
_PATIENCE_S = 300.0
_PATIENCE_STEPS = 3
_CLOCKS_DIFFER_S = 60.0  # at most, about when a process began
_BEATS_S = 120.0  # since a lease was touched, until which its holder is believed alive from any machine
_LOG_END = 16 * 1024  # bytes of a log in which an error is looked for


@dataclass(frozen=True)
class ChainState:
    """How a chain stands. None is what its files do not say."""

    folder: str
    study: str
    arm: str
    seed: int | None
    status: str  # waiting | running | silent | finished | failed | interrupted | unreadable
    link: int | None
    step: int | None
    steps: int | None
    seconds_per_step: float | None
    eta_s: float | None  # of a running chain
    reward_ema: float | None  # at the last step, as is the next
    solved: float | None
    silent_s: float | None  # since anything was written, of a chain whose last link has no end
    ended: str | None  # when the last link did, ISO 8601
    last_event: str
    command: str  # what a person types to go on
    problems: tuple[str, ...]

    @property
    def status_text(self) -> str:
        return f"silent for {span(self.silent_s or 0)}" if self.status == "silent" else self.status


def read_chain(folder: Path, *, now_s: float, host: str) -> ChainState:
    """Returns how the chain in ``folder`` stands at ``now_s`` (Unix time), seen from the machine ``host``.

    "running" is believed when the supervisor lives on this machine, or on another one keeps its lease alive; where
    there is no lease, when the chain wrote something lately. Such a chain that did not is "silent".
    """
    problems: list[str] = []
    record = read_record(folder, problems)
    tail = read_tail(folder / "history.jsonl", problems)
    last = tail.rows[-1] if tail.rows else {}
    rate = pace(tail.rows)
    link = record.links[-1] if record.links else None
    silent_s = _silence(folder, link, now_s) if link and link.end is None else None
    beat_s = last_written([folder / LEASE]) if link else None
    status = _status(record, silent_s, None if beat_s is None else now_s - beat_s, rate, host)
    step = last.get(metrics.STEP, None if tail.unreadable else 0)
    left = None if record.steps is None or step is None else max(record.steps - step, 0)
    return ChainState(
        folder=folder.as_posix(),
        study=record.study,
        arm=record.arm,
        seed=record.seed,
        status=status,
        link=link.link if link else None,
        step=step,
        steps=record.steps,
        seconds_per_step=rate,
        eta_s=None if status != "running" or rate is None or left is None else rate * left,
        reward_ema=_number(last.get(metrics.REWARD_EMA)),
        solved=_number(last.get(metrics.SOLVED)),
        silent_s=silent_s,
        ended=link.end if link else None,
        last_event=_event(folder, status, record, tail, silent_s, now_s),
        command=record.command,
        problems=tuple(problems),
    )


def pace(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Returns the median seconds from step to step over those ``rows`` that are of the last one's link.

    Saving and logging between steps count. None when no row has a time.
    """
    of_link = [row for row in rows if row.get(metrics.LINK) == rows[-1].get(metrics.LINK)]
    times = [(_number(row.get(metrics.TIME_STEP)), _number(row.get(metrics.TIME_BETWEEN))) for row in of_link]
    seconds = [step + (between or 0.0) for step, between in times if step is not None]
    return statistics.median(seconds) if seconds else None


def _status(record: RecordSeen, silent_s: float | None, beat_ago_s: float | None, rate: float | None, host: str) -> str:
    said = WORDS.get(record.status, "unreadable")
    if said != "running":
        return said
    if not record.links:
        return "unreadable"
    link = record.links[-1]
    beats = beat_ago_s is not None and beat_ago_s <= _BEATS_S
    started_s = _unix(link.start)
    lives = _lives(link.pid, None if beats else started_s) if link.host == host and link.pid and started_s else None
    if lives is not None:
        return "running" if lives else "interrupted"
    if beat_ago_s is not None:
        return "running" if beats else "silent"
    patience_s = max(_PATIENCE_S, _PATIENCE_STEPS * (rate or 0.0))
    return "running" if silent_s is not None and silent_s <= patience_s else "silent"


def _lives(pid: int, started_s: float | None) -> bool | None:
    """Whether the process that had ``pid`` at ``started_s`` still runs; None when the system does not tell.

    Without ``started_s`` any process of that number is it: clocks that jumped may say otherwise.
    """
    import psutil  # as long to import as all the rest, and needed only for chains of this machine

    try:
        process = psutil.Process(pid)
        # A younger process got the number of one that is gone.
        ours = started_s is None or process.create_time() <= started_s + _CLOCKS_DIFFER_S
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None


def _silence(folder: Path, link: LinkSeen, now_s: float) -> float | None:
    """Seconds since the chain's record, its history or the link's log was written."""
    written_s = last_written([folder / "chain.json", folder / "history.jsonl", _log(folder, link)])
    return None if written_s is None else max(now_s - written_s, 0.0)


def _event(folder: Path, status: str, record: RecordSeen, tail: Tail, silent_s: float | None, now_s: float) -> str:
    if not record.links:
        return "not begun" if status == "waiting" else ""
    link = record.links[-1]
    ended_s = _unix(link.end)
    if link.end is not None:
        when = f" {span(now_s - ended_s)} ago" if ended_s else ""
        why = f": {link.cause}" if link.cause not in (None, record.status) else ""
        alone = "; no link follows by itself" if record.given_up else ""
        return f"link {link.link} {record.status}{when}{why}{alone}"
    wrote = f"wrote {span(silent_s or 0)} ago"
    if status == "interrupted":
        error = last_error(end_of(_log(folder, link), _LOG_END))
        return f"supervisor {link.pid} is gone, {wrote}" + (f": {error}" if error else "")
    if status == "silent":
        return f"no word from {link.host}"
    stepped = any(row.get(metrics.LINK) == link.link for row in tail.rows)
    before = f"; link {record.links[-2].link} ended: {record.links[-2].cause}" if len(record.links) > 1 else ""
    return (wrote if stepped else f"starting, {wrote}") + before


def _log(folder: Path, link: LinkSeen) -> Path:
    return folder / "logs" / f"link-{link.link}.log"


def _unix(moment: str | None) -> float | None:
    """ISO 8601 as Unix time, None when it is not that."""
    try:
        return datetime.fromisoformat(moment).timestamp() if moment else None
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if known else None
