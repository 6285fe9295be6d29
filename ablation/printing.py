"""How commands say scores, durations, tables and causes: the same everywhere. Standard library only."""

import math
import re
from collections.abc import Sequence

_ERROR_LINE = re.compile(r"^[\w.]*(Error|Exception|Interrupt|Exit)\b.*")


def score(value: float | None) -> str:
    """Returns a score or a reward with three decimals, a hyphen for None."""
    return "-" if value is None else f"{value:.3f}"


def clock(seconds: float) -> str:
    """Returns a time to come as h:mm, rounded up to whole minutes."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d}"


def span(seconds: float) -> str:
    """Returns a time gone by in words: ``8 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``; each unit rounded down."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the lines of an aligned table: header, rule, rows; every row as long as the header."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in lines]


def last_error(log: str) -> str:
    """Returns the last line of a log that names an error, at most 300 characters; empty when none does.

    It need not be the last line: libraries go on talking after a traceback.
    """
    errors = [line.strip() for line in log.splitlines() if _ERROR_LINE.match(line.strip())]
    return errors[-1][:300] if errors else ""
