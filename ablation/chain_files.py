"""What the files in a chain's folder say while somebody else may be writing them: its record, its last rows.

For commands that must start at once, also on a login node: no framework is imported. Whatever cannot be read is
a sentence in ``problems``, and the rest is returned.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ablation import metrics

LEASE = ".lease"  # in a chain's folder; its process touches it every few seconds
RECENT = 10  # rows at the end of a history that are looked at
_BLOCK = 32 * 1024  # bytes that are read first: ten rows of some 1.6 kB and to spare
_SAID = {"study": str, "arm": str, "seed": int, "status": str, "steps": int, "links": list}


class LinkSeen(NamedTuple):
    """A link as chain.json tells it; None is what it does not say, or what is of another type."""

    link: int | None
    start: str | None  # ISO 8601, as is the end
    end: str | None
    cause: str | None
    pid: int | None  # of its supervisor
    host: str | None


class RecordSeen(NamedTuple):
    """A chain as chain.json tells it, or config.yaml where that cannot be read."""

    study: str
    arm: str
    seed: int | None
    status: str  # of ablation.training.chain.Status; empty when unknown
    steps: int | None
    command: str
    given_up: bool  # no link follows by itself any more
    links: tuple[LinkSeen, ...]


class Tail(NamedTuple):
    """The last rows of a history in the order of the file, and how many of its last lines are no rows."""

    rows: tuple[Mapping[str, Any], ...]
    unreadable: int


def is_chain(folder: Path) -> bool:
    """Whether a folder is a chain's: it is not hidden and has a chain.json or a history.jsonl."""
    names = ("chain.json", "history.jsonl")
    return not folder.name.startswith(".") and any((folder / name).is_file() for name in names)


def read_record(folder: Path, problems: list[str]) -> RecordSeen:
    """Returns what chain.json says; without one the identity in config.yaml, else the folder's name as the arm."""
    content = _mapping(folder / "chain.json", json.loads, problems)
    if not content:
        content = _mapping(folder / "config.yaml", _yaml, problems)
        chain = content.get("chain")
        return _record(folder, content | {"steps": chain.get("steps") if isinstance(chain, dict) else None})
    unsaid = [name for name, kind in _SAID.items() if not isinstance(content.get(name), kind)]
    if unsaid:
        problems.append(f"chain.json has no valid {', '.join(unsaid)}")
    links = content.get("links")
    odd = sum(not isinstance(item, dict) for item in links) if isinstance(links, list) else 0
    if odd:
        problems.append(f"{odd} links in chain.json are no objects")
    return _record(folder, content)


def read_tail(history: Path, problems: list[str], lines: int = RECENT) -> Tail:
    """Returns the rows among the last ``lines`` lines of a history; no rows when there is no file yet."""
    try:
        last, torn = _last_lines(history, lines)
    except FileNotFoundError:
        return Tail((), 0)
    except OSError as error:
        problems.append(f"history.jsonl cannot be read ({error.strerror})")
        return Tail((), 0)
    rows = [_row(line) for line in last]
    unreadable = rows.count(None)
    if torn and rows[-1] is None:
        problems.append("the last line of history.jsonl is torn")
    if unreadable > (torn and rows[-1] is None):
        problems.append(f"{unreadable} of the last {len(rows)} lines of history.jsonl are unreadable")
    return Tail(tuple(row for row in rows if row is not None), unreadable)


def last_written(paths: Iterable[Path]) -> float | None:
    """Returns when the latest of files was written (Unix time); None when there is none."""
    written = []
    for path in paths:
        with contextlib.suppress(OSError):
            written.append(path.stat().st_mtime)
    return max(written, default=None)


def end_of(path: Path, size: int) -> str:
    """Returns the last ``size`` bytes of a text file; nothing when it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def _last_lines(path: Path, count: int) -> tuple[list[bytes], bool]:
    """The last lines that are not blank, and whether the very last one lacks its end."""
    with path.open("rb") as file:
        size, block = file.seek(0, os.SEEK_END), _BLOCK
        while True:
            start = max(0, size - block)
            file.seek(start)
            content = file.read(size - start)
            found = content.split(b"\n")[1 if start else 0 :]  # the first one may have begun before the block
            whole = [line for line in found if line.strip()]
            if start == 0 or len(whole) >= count:
                return whole[-count:], bool(found and found[-1].strip())
            block *= 4


def _row(line: bytes) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and _whole(row.get(metrics.STEP)) is not None else None


def _record(folder: Path, content: Mapping[str, Any]) -> RecordSeen:
    links = content.get("links")
    return RecordSeen(
        study=_text(content.get("study")) or folder.parent.name,
        arm=_text(content.get("arm")) or folder.name,
        seed=_whole(content.get("seed")),
        status=_text(content.get("status")) or "",
        steps=_whole(content.get("steps")),
        command=_text(content.get("command")) or "",
        given_up=bool(content.get("given_up")),
        links=tuple(_link(item) for item in links if isinstance(item, dict)) if isinstance(links, list) else (),
    )


def _link(item: Mapping[str, Any]) -> LinkSeen:
    return LinkSeen(
        link=_whole(item.get("link")),
        start=_text(item.get("start")),
        end=_text(item.get("end")),
        cause=_text(item.get("cause")),
        pid=_whole(item.get("pid")),
        host=_text(item.get("host")),
    )


def _mapping(path: Path, parse: Callable[[str], Any], problems: list[str]) -> dict[str, Any]:
    """What a file maps; empty, with a sentence, when it is absent or unreadable."""
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        problems.append(f"{path.name} cannot be read ({reason})")
        return {}
    if isinstance(content, dict) and content:
        return content
    problems.append(f"{path.name} is not a mapping")
    return {}


def _yaml(text: str) -> Any:
    import yaml  # takes longer to import than all the rest, and is seldom needed

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
