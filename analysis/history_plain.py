"""A plain ``history.jsonl`` read column by column: the same values as row by row, sooner. Pure."""

import re

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from ablation import metrics
from analysis.history import LARGEST, Columns, surviving


def parse_plain(text: bytes) -> Columns | None:
    """What `analysis.history.parse_lines` and `stitch` keep of a file, sorted; None where a line is not plain.

    Plain lines are whole JSON objects of finite numbers, truth values and nulls, each with a whole step and a link.
    Nothing is said of others here: whoever reads them row by row can name the line.
    """
    lines = [line.strip() for line in text.split(b"\n") if line.strip()]
    if not text.endswith(b"\n") or not lines or not _look_plain(lines):
        return None
    try:
        table = arrow_json.read_json(pa.BufferReader(text), arrow_json.ReadOptions(use_threads=False))
        links, steps = (_whole(table, name) for name in (metrics.LINK, metrics.STEP))
        names = sorted(set(table.column_names) - {metrics.LINK, metrics.STEP})
        columns = [_numbers(table[name], name, text) for name in names]
    except (pa.ArrowException, ValueError, KeyError):
        return None
    if table.num_rows != len(lines) or not names:  # two objects in one line
        return None
    kept = surviving(links.tolist(), steps.tolist())
    values = np.column_stack([values for values, _ in columns])[kept]
    logged = np.column_stack([there for _, there in columns])[kept]
    rows, numbers = np.nonzero(logged)  # in order of rows, so of steps, and of names
    return Columns(links[kept][rows], steps[kept][rows], names, numbers.astype(np.int32), values[logged])


def _look_plain(lines: list[bytes]) -> bool:
    """Whether every line is an object of its own, and a few of them have much the same names: a table of rows that
    share none would be far larger than its text."""
    if not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return False
    some = [set(re.findall(rb'"([^"]*)"\s*:', lines[at * (len(lines) - 1) // 7])) for at in range(8)]
    return len(set.union(*some)) <= 2 * max(map(len, some)) + 16


def _whole(table: pa.Table, name: str) -> np.ndarray:
    column = table[name]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise ValueError(f"{name} is {column.type}")
    whole = column.to_numpy()
    if whole.min(initial=0) < 0 or whole.max(initial=0) > LARGEST:
        raise ValueError(f"{name} is no count")
    return whole


def _numbers(column: pa.ChunkedArray, name: str, text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The values [rows] of a column as floats, NaN for null, and where there is an entry."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or kind == pa.null()):
        raise ValueError(f"{kind} is no kind of number")
    floats = (column if pa.types.is_floating(kind) else column.cast(pa.float64(), safe=False)).to_numpy()
    numbers = column.is_valid().to_numpy()
    if not np.isfinite(floats[numbers]).all():  # digits that are too many for a float
        raise ValueError("a value is infinite")
    if not column.null_count:
        return floats, numbers
    # A null is an entry, and an absent one is none: the parser does not tell them apart, but their count does.
    written_alike = b"\\" not in text and not re.search(rb'"\s+:', text)
    entries = text.count(f'"{name}":'.encode()) if written_alike else -1
    if entries not in (len(column), len(column) - column.null_count):
        raise ValueError(f"{name} is null in some lines and absent in others")
    return floats, np.ones_like(numbers) if entries == len(column) else numbers
