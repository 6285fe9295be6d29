"""Logged W&B items made into stitched rows, whoever logged them and wherever they were kept. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ablation import metrics
from analysis.history import Row, stitch
from analysis.sources.naming import RECOGNISED, Naming
from analysis.sources.presets import OURS, Preset, names_of_steps, recognise

Item = Mapping[str, float]  # one call of run.log: numbers by key, nested keys joined with dots

OWN = "_"  # keys that W&B adds itself (_step, _runtime, _timestamp) begin with it
CALL = "_step"  # W&B's count of calls, or what the trainer passed as step=


class Stitched(NamedTuple):
    """One row a step, which preset named the step (None: W&B's own ``_step``), and what was left out."""

    rows: list[Row]
    preset: Preset | None
    problems: list[str]


class Located(NamedTuple):
    """Every item with its link and its global step (None: it has no whole one), in the order of ``parts``."""

    preset: Preset | None
    step_key: str
    items: list[tuple[int, int | None, Item]]


def stitch_items(parts: Sequence[Sequence[Item]], name: str, naming: Naming = RECOGNISED) -> Stitched:
    """The stitched rows of one run.

    ``parts`` are its files in the order of their start (the server keeps one); a link begins with each of
    them, and wherever the global step goes back within one. Calls of one step in one link are one row, of
    which the last value of a key counts.
    """
    located = locate(parts, naming)
    preset, step_key = located.preset, located.step_key
    merged: dict[tuple[int, int], dict[str, float]] = {}
    lost: list[Item] = []
    for link, step, item in located.items:
        if step is None:
            lost.append(item)
        else:
            merged.setdefault((link, step), {}).update(item)
    left_out = {step_key, *([metrics.LINK] if preset is OURS else [])}
    left_out |= {key for key in set().union(*merged.values()) if key.startswith(OWN)}
    for values in merged.values():
        for key in left_out & values.keys():
            del values[key]
    rows = [Row(link, step, values) for (link, step), values in merged.items() if values]
    kept = stitch(rows)
    return Stitched(kept, preset, [*_lost(lost, step_key, name), *_stitching(rows, kept, preset, parts, name)])


def locate(parts: Sequence[Sequence[Item]], naming: Naming = RECOGNISED) -> Located:
    """Where each item stands in its chain, by the keys that its trainer uses."""
    items = [item for part in parts for item in part]
    preset = naming.preset(recognise(set().union(*items)))
    step_key = preset.step if preset else CALL
    # Some trainers log validation without the key, and with their step given to W&B instead.
    passed = preset is not None and preset.passes_step
    by_call = passed and all(item.get(CALL) == item[step_key] for item in items if step_key in item)
    linked = _linked(parts, step_key, own=preset is OURS)
    located = [(link, _whole(item.get(step_key, item.get(CALL) if by_call else None)), item) for link, item in linked]
    return Located(preset, step_key, located)


def _linked(parts: Sequence[Sequence[Item]], step_key: str, *, own: bool) -> Iterator[tuple[int, Item]]:
    """Every item with the number of its link; our own trainer logs that number itself."""
    link = -1
    for part in parts:
        link, last = link + 1, -math.inf
        for item in part:
            step = item.get(step_key, math.nan)
            link += step < last
            last = step if math.isfinite(step) else last
            yield int(item.get(metrics.LINK, link)) if own else link, item


def _whole(step: float | None) -> int | None:
    return int(step) if step is not None and math.isfinite(step) and step == int(step) else None


def _lost(items: Sequence[Item], step_key: str, name: str) -> list[str]:
    keys = sorted({key for item in items for key in item if not key.startswith(OWN)})
    if not keys:
        return []
    shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    return [f"{len(items)} rows of {name} have no whole {step_key} and were left out; they hold {shown}."]


def _stitching(
    rows: Sequence[Row], kept: Sequence[Row], preset: Preset | None, parts: Sequence[Sequence[Item]], name: str
) -> list[str]:
    problems: list[str] = []
    if preset is None and rows:
        problems.append(f"{name} logs none of {names_of_steps()}: its steps are W&B's own count of calls.")
        if len(parts) > 1:
            problems.append(
                f"{name} has {len(parts)} files and no global step, so where each went on cannot be told and "
                f"{len(rows) - len(kept)} rows of earlier files were left out: log the global step as a metric."
            )
    elif len(kept) < len(rows):
        problems.append(
            f"{name} has {len(rows) - len(kept)} rows of steps that a later link logged again: those count."
        )
    return problems
