"""A plain ``history.jsonl`` read column by column: the same frame as row by row, at a third of the time. Pure."""

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from ablation import metrics
from analysis.history import Columns, surviving


def parse_plain(text: bytes) -> Columns | None:
    """What `analysis.history.parse_lines` and `stitch` keep of a file, sorted; None where a line is not plain.

    Plain lines are whole JSON objects of finite numbers and truth values, each with a whole step and a link. Nothing is
    said of others here: whoever reads them row by row can name the line.
    """
    if not text.endswith(b"\n") or b"null" in text:  # a null is no number, and an absent entry is none at all
        return None
    try:
        table = arrow_json.read_json(pa.BufferReader(text), arrow_json.ReadOptions(use_threads=False))
        links, steps = (_whole(table, name) for name in (metrics.LINK, metrics.STEP))
        names = sorted(set(table.column_names) - {metrics.LINK, metrics.STEP})
        columns = [_numbers(table[name]) for name in names]
    except (pa.ArrowException, ValueError, KeyError):
        return None
    if table.num_rows != sum(1 for line in text.split(b"\n") if line.strip()):  # two objects in one line
        return None
    if not names:
        return None
    kept = surviving(links.tolist(), steps.tolist())
    values = np.column_stack([values for values, _ in columns])[kept]
    logged = np.column_stack([there for _, there in columns])[kept]
    rows, numbers = np.nonzero(logged)  # in order of rows, so of steps, and of names
    return Columns(links[kept][rows], steps[kept][rows], names, numbers.astype(np.int32), values[logged])


def _whole(table: pa.Table, name: str) -> np.ndarray:
    column = table[name]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise ValueError(f"{name} is {column.type}")
    whole = column.to_numpy()
    if np.abs(whole).max(initial=0) > 2**53:
        raise ValueError(f"{name} is larger than floats can count")
    return whole


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The values [rows] of a column as floats, and where there is one."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise ValueError(f"{kind} is no kind of number")
    floats = (column if pa.types.is_floating(kind) else column.cast(pa.float64(), safe=False)).to_numpy()
    there = column.is_valid().to_numpy()
    if not np.isfinite(floats[there]).all():  # digits that are too many for a float
        raise ValueError("a value is infinite")
    return floats, there
