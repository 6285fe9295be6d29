"""History rows made into one tidy frame. Pure: text and rows in, frames and sentences out."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from ablation import metrics
from analysis.errors import AnalysisError

SCHEMA = {
    "study": "str",
    "arm": "str",
    "seed": "int64",
    "run_id": "str",
    "link": "int64",
    "step": "int64",
    "metric": "str",
    "value": "float64",
}
COLUMNS = list(SCHEMA)
_WORDS = {"nan": math.nan, "infinity": math.inf, "inf": math.inf, "-infinity": -math.inf, "-inf": -math.inf}


class Row(NamedTuple):
    """One logged step of one link; ``values`` are numbers, with NaN and infinities as such."""

    link: int
    step: int
    values: dict[str, float]


class Parsed(NamedTuple):
    """Rows in the order of the file, and one sentence for whatever could not be kept."""

    rows: list[Row]
    problems: list[str]


def number(value: Any) -> float | None:
    """A logged value as a float: "NaN", "Infinity" and null included; None when it is no number."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


LARGEST = 2**53  # a step or link; beyond it floats do not count by one


def _is_text(name: str) -> bool:
    """Whether a name can be written: JSON may hold half of a surrogate pair."""
    return name.isascii() or _shown(name) == name


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def parse_row(item: Mapping[str, Any], link: int = 0) -> tuple[Row, list[str]]:
    """A row from one JSON object, and the names of the entries that are no numbers.

    ``link`` is the link of the row before, taken when the object names none.

    Raises:
        ValueError: there is no whole ``step``.
    """
    step = number(item.get(metrics.STEP, "none"))
    if step is None or not math.isfinite(step) or step != int(step) or not 0 <= step <= LARGEST:
        raise ValueError(f'"step" is {item.get(metrics.STEP)!r} where a whole number is expected')
    given = number(item.get(metrics.LINK, link))
    known = given is not None and math.isfinite(given) and 0 <= given <= LARGEST
    link = int(given) if known and given is not None else link
    # Nearly all values are floats, so the shortest way is for them.
    values: dict[str, Any] = {name: value if type(value) is float else number(value) for name, value in item.items()}
    values.pop(metrics.STEP)
    values.pop(metrics.LINK, None)
    odd = sorted(name for name, value in values.items() if value is None or not _is_text(name))
    for name in odd:
        del values[name]
    odd += [] if known else [metrics.LINK]
    return Row(link, int(step), values), odd


def parse_lines(text: bytes, name: str) -> Parsed:
    """The rows of a ``history.jsonl``; unreadable lines are told with ``name`` and number, the rest kept."""
    rows: list[Row] = []
    problems: list[str] = []
    left_out: dict[str, list[int]] = {}  # {entry that is no number: its lines}
    lines = text.split(b"\n")
    for position, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        torn = position == len(lines)
        try:
            item = json.loads(line.decode("utf-8"))
            if not isinstance(item, dict):
                raise ValueError(f"found {type(item).__name__} where a JSON object is expected")
            row, odd = parse_row(item, rows[-1].link if rows else 0)
        except (ValueError, RecursionError) as error:
            what = "is torn, as an interruption leaves it" if torn else f"is unreadable ({error})"
            problems.append(f"{name} line {position} {what}; the other lines were kept.")
            continue
        rows.append(row)
        for metric in odd:
            left_out.setdefault(metric, []).append(position)
    if len(problems) > _TOLD:
        problems[_TOLD:] = [f"{name} has {len(problems) - _TOLD} more lines that are unreadable; the others were kept."]
    problems += [
        f"{name} {_places(places)}: {_shown(metric)} is not a number and was left out."
        for metric, places in left_out.items()
    ]
    return Parsed(rows, problems)


_TOLD = 5  # lines that are named one by one


def _places(places: Sequence[int]) -> str:
    more = f" and {len(places) - _TOLD} more" if len(places) > _TOLD else ""
    return f"line{'s' if len(places) > 1 else ''} {', '.join(map(str, places[:_TOLD]))}{more}"


def surviving(links: Sequence[int], steps: Sequence[int]) -> list[int]:
    """The places of the rows whose results survive in the weights: one for each step, steps ascending.

    When a later link begins, every earlier row whose step is at or after that link's first step is
    discarded; then the last row per step wins. Links go in ascending order, rows in the order given.
    """
    by_link: dict[int, list[int]] = {}
    for place, link in enumerate(links):
        by_link.setdefault(link, []).append(place)
    kept: dict[int, int] = {}
    for _, places in sorted(by_link.items()):
        first = min(steps[place] for place in places)
        kept = {step: place for step, place in kept.items() if step < first}
        kept.update((steps[place], place) for place in places)
    return [kept[step] for step in sorted(kept)]


def stitch(rows: Iterable[Row]) -> list[Row]:
    """The rows that are `surviving`, ascending by step."""
    rows = list(rows)
    return [rows[place] for place in surviving([row.link for row in rows], [row.step for row in rows])]


class Columns(NamedTuple):
    """The values [values] of one chain, sorted by step and metric; the metric of each is a number into ``names``."""

    links: np.ndarray
    steps: np.ndarray
    names: Sequence[str]  # ascending
    numbers: np.ndarray
    values: np.ndarray


def columns_of(rows: Iterable[Row]) -> Columns:
    """The values of one chain's stitched rows."""
    rows = list(rows)
    counts = [len(row.values) for row in rows]
    logged = [name for row in rows for name in row.values]
    names = sorted(set(logged))
    number_of = {name: number for number, name in enumerate(names)}
    numbers = np.fromiter(map(number_of.__getitem__, logged), dtype=np.int32, count=len(logged))
    steps = np.repeat(np.array([row.step for row in rows], dtype=np.int64), counts)
    links = np.repeat(np.array([row.link for row in rows], dtype=np.int64), counts)
    values = np.fromiter((value for row in rows for value in row.values.values()), dtype=np.float64, count=len(logged))
    order = np.lexsort((numbers, steps))
    return Columns(links[order], steps[order], names, numbers[order], values[order])


class Identity(NamedTuple):
    """Which chain it is."""

    study: str
    arm: str
    seed: int
    run_id: str


def tidy(chains: Iterable[tuple[Identity, Columns]]) -> pd.DataFrame:
    """The tidy frame [values, 8] of chains, sorted by chain, step and metric.

    Raises:
        AnalysisError: one metric of one chain has two values at a step, as before stitching.
    """
    chains = sorted(chains, key=lambda pair: pair[0])
    if not chains:
        return check(pd.DataFrame(columns=COLUMNS))
    sizes = np.array([len(columns.values) for _, columns in chains])
    studies, arms, seeds, run_ids = (list(of_chains) for of_chains in zip(*(who for who, _ in chains), strict=True))
    content = {
        "study": _repeated(studies, sizes),
        "arm": _repeated(arms, sizes),
        "seed": np.repeat(np.array(seeds, dtype=np.int64), sizes),
        "run_id": _repeated(run_ids, sizes),
        "link": np.concatenate([columns.links for _, columns in chains]),
        "step": np.concatenate([columns.steps for _, columns in chains]),
        "metric": _metrics([columns for _, columns in chains]),
        "value": np.concatenate([columns.values for _, columns in chains]),
    }
    frame = pd.DataFrame(content, copy=False)
    distinct = len({who for who, _ in chains}) == len(chains) and not any(_twice(columns) for _, columns in chains)
    return frame if distinct else check(frame)  # which takes longer than all of this, and names the value


def _twice(columns: Columns) -> bool:
    """Whether a metric has two values at a step."""
    return bool((np.diff(columns.steps) == 0)[np.diff(columns.numbers) == 0].any())


def _metrics(chains: Sequence[Columns]) -> pd.Series:
    names = sorted({name for columns in chains for name in columns.names})
    number_of = {name: number for number, name in enumerate(names)}
    known = [np.array([number_of[name] for name in columns.names], dtype=np.int32) for columns in chains]
    numbers = [of_chain[columns.numbers] for of_chain, columns in zip(known, chains, strict=True)]
    return _texts(names, np.concatenate(numbers))


def _repeated(texts: Sequence[str], sizes: np.ndarray) -> pd.Series:
    return _texts(texts, np.repeat(np.arange(len(texts), dtype=np.int32), sizes))


def _texts(names: Sequence[str], numbers: np.ndarray) -> pd.Series:
    """The column of the names with these numbers: text by text a column takes long to make."""
    texts = pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(names, pa.large_string())).dictionary_decode()
    return pd.Series(texts.to_pandas(), dtype="str")


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with exactly the columns and types of `SCHEMA`, sorted, with a fresh index.

    Raises:
        AnalysisError: a column is absent or holds nulls, or one metric of one run has two values at a step.
    """
    absent = [column for column in COLUMNS if column not in frame.columns]
    if absent:
        raise AnalysisError(
            f"The history has no column {', '.join(absent)} where {', '.join(COLUMNS)} are expected: "
            "pull it with `python -m analysis.pull SOURCE --out history.parquet`."
        )
    keys = [column for column in COLUMNS if column != "value"]
    if frame[keys].isna().any(axis=None):
        raise AnalysisError("The history has empty keys where study, arm, seed, run, link and step are expected.")
    frame = frame[COLUMNS].astype(SCHEMA).reset_index(drop=True)
    identity = ["study", "arm", "seed", "run_id", "step", "metric"]
    if frame.duplicated(identity).any():
        row = frame[frame.duplicated(identity)].iloc[0]
        raise AnalysisError(
            f"{row.metric} of {row.arm} seed {row.seed} has two values at step {row.step} where stitched "
            "histories have one: pass rows through analysis.history.stitch first."
        )
    return frame.sort_values(identity, kind="stable", ignore_index=True)


def combine(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several tidy frames as one, checked; an empty frame of the right types when there are none."""
    filled = [frame for frame in frames if len(frame)]
    return check(pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=COLUMNS))


def by_chain(frame: pd.DataFrame, metric: str) -> dict[tuple[str, int], dict[int, float]]:
    """One metric of every chain that logged it, as {(arm, seed): {step: value}}, steps ascending."""
    chosen = frame.loc[frame["metric"] == metric, ["arm", "seed", "step", "value"]]
    found: dict[tuple[str, int], dict[int, float]] = {}
    for arm, seed, step, value in zip(*(chosen[column].tolist() for column in chosen), strict=True):
        found.setdefault((arm, seed), {})[step] = value
    return dict(sorted(found.items()))


def series(frame: pd.DataFrame, arm: str, seed: int, metric: str) -> dict[int, float]:
    """One metric of one chain as {step: value}, ascending."""
    chosen = frame[(frame["metric"] == metric) & (frame["arm"] == arm) & (frame["seed"] == seed)]
    return dict(zip(chosen["step"].tolist(), chosen["value"].tolist(), strict=True))
