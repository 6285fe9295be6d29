"""Whether two histories of one chain are equal in all that must be: every metric but times, loads and links."""

import math
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from ablation import metrics
from ablation.repeating.recorded import Recorded
from analysis.csvs import HISTORY
from analysis.history import parse_lines, stitch

Values = Mapping[int, Mapping[str, float]]  # {step: {metric: value}}


def recorded_history(recorded: Recorded) -> Values:
    """Returns the deterministic metrics of a recorded chain; none when its folder holds no history."""
    if (recorded.logs / "history.jsonl").is_file():
        return chain_history(recorded.logs)
    table = recorded.logs / HISTORY
    return _of_table(table, recorded.record.arm, recorded.record.seed) if table.is_file() else {}


def chain_history(folder: Path) -> Values:
    """Returns the deterministic metrics of the chain in ``folder``, stitched."""
    path = folder / "history.jsonl"
    rows = stitch(parse_lines(path.read_bytes(), path.name).rows) if path.is_file() else []
    return {
        row.step: {name: value for name, value in row.values.items() if metrics.is_deterministic(name)} for row in rows
    }


def comparison(then: Values, now: Values) -> str:
    """Returns one sentence: that they are equal, or the first step and metric at which they are not."""
    steps = sorted(then.keys() & now.keys())
    if not steps:
        return "No history was recorded for the steps that were trained now, so nothing is compared."
    names = {name for step in steps for name in then[step]}
    others = {name for step in steps for name in now[step]}
    alone = "".join(
        f"; {len(only)} are logged only {when} ({', '.join(sorted(only)[:3])}{', …' if len(only) > 3 else ''})"
        for only, when in ((names - others, "then"), (others - names, "now"))
        if only
    )
    only_then = len(then) - len(steps)
    covered = f"{len(steps)} steps" + (f" of {len(then)} that were recorded" if only_then else "")
    both = sorted(names & others)
    for step in steps:
        differing = [name for name in both if not _equal(then[step].get(name), now[step].get(name))]
        if differing:
            was, is_now = then[step].get(differing[0]), now[step].get(differing[0])
            gap = "" if was is None or is_now is None else f" ({is_now - was:+.3g})"
            return (
                f"The histories are not equal: they first differ at step {step} in {len(differing)} of {len(both)} "
                f"metrics, {differing[0]} was {was} and is {is_now}{gap}; {covered} were compared{alone}."
            )
    return f"The histories are equal: all {len(both)} deterministic metrics at each of the {covered}{alone}."


def _equal(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (math.isnan(one) and math.isnan(other))


def _of_table(path: Path, arm: str, seed: int) -> Values:
    types = {"arm": pa.string(), "seed": pa.int64(), "step": pa.int64(), "metric": pa.string(), "value": pa.float64()}
    # Only of numbers is an empty cell a null, and texts such as "nan" stay texts.
    options = arrow_csv.ConvertOptions(column_types=types, include_columns=list(types), strings_can_be_null=False)
    table = arrow_csv.read_csv(path, convert_options=options)
    own = table.filter(compute.and_(compute.equal(table["arm"], arm), compute.equal(table["seed"], seed)))
    found: dict[int, dict[str, float]] = {}
    for step, name, value in zip(*(own[column].to_pylist() for column in ("step", "metric", "value")), strict=True):
        if metrics.is_deterministic(name):
            found.setdefault(step, {})[name] = math.nan if value is None else value
    return found
