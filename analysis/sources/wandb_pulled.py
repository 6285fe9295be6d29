"""Rows that were pulled from a W&B server, kept as parquet files: the next pull asks for the new ones alone.

What is kept is trusted only as far as the server's own description of the run says the same as then. A run that was
going on and has grown is asked for its new rows, and for the last kept one, which must be the same. Any other change
(a resumed run, one that was synced again, one that was deleted and made anew) has the whole run read again.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.sources.wandb_items import CALL, Item

_RECIPE = 1  # part of what must be equal: raise it when other items would come of the same rows
_ABOUT = b"ablation.pulled"  # the file's metadata of this module


@dataclass(frozen=True)
class Stamp:
    """What the server says of a run's rows without sending any."""

    run: str  # the server's own id of the run
    created: str
    heartbeat: str
    running: bool
    lines: int
    last_step: int
    recipe: int = _RECIPE

    def continues(self, earlier: "Stamp") -> bool:
        """Whether this can be the run of ``earlier`` with nothing but further rows."""
        same = (self.run, self.created, self.recipe) == (earlier.run, earlier.created, earlier.recipe)
        return same and earlier.running and self.lines >= earlier.lines and self.last_step >= earlier.last_step


class Pulled(NamedTuple):
    """The items of a run in the order of the server, and the keys that hold no numbers."""

    items: Sequence[Item]
    odd: frozenset[str]
    unkept: str = ""  # why the next pull will have to read all of this again


def pull(kept: Path, stamp: Stamp, scan: Callable[[int], Pulled]) -> Pulled:
    """All items of a run, from the file ``kept`` and from ``scan(first)``, which asks for those from a step on.

    The file is written when it does not hold them all.
    """
    earlier = _load(kept)
    if earlier and earlier[0] == stamp:
        return earlier[1]
    pulled = _continued(earlier, stamp, scan) or scan(0)
    try:
        _save(kept, stamp, pulled)
    except OSError as error:
        return pulled._replace(unkept=str(error))
    return pulled


def _continued(earlier: tuple[Stamp, Pulled] | None, stamp: Stamp, scan: Callable[[int], Pulled]) -> Pulled | None:
    """The kept items and the new ones; None when these do not go on from those."""
    if not earlier or not earlier[1].items or not stamp.continues(earlier[0]):
        return None
    items, odd, _ = earlier[1]
    new = scan(int(items[-1].get(CALL, 0)))
    if not new.items or not _same(new.items[0], items[-1]):
        return None
    return Pulled([*items, *new.items[1:]], odd | new.odd)


def _same(one: Item, other: Item) -> bool:
    """Whether two items are equal, and not a number where the other is none."""
    return {key: repr(value) for key, value in one.items()} == {key: repr(value) for key, value in other.items()}


def _load(path: Path) -> tuple[Stamp, Pulled] | None:
    """What a file holds; None for one that is absent, damaged or of another version of this module."""
    try:
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[_ABOUT])
        stamp = Stamp(**about["stamp"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return stamp, Pulled([*_items(table)], frozenset(about["odd"]))


def _items(table: pa.Table) -> Iterator[Item]:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for number in range(table.num_rows):
        yield {name: values[number] for name, values in columns.items() if values[number] is not None}


def _save(path: Path, stamp: Stamp, pulled: Pulled) -> None:
    """Writes the file whole, or leaves it as it was; two at once do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = dict.fromkeys(key for item in pulled.items for key in item)
    about = {"stamp": asdict(stamp), "odd": sorted(pulled.odd)}
    table = pa.table({key: pa.array([item.get(key) for item in pulled.items], pa.float64()) for key in keys})
    table = table.replace_schema_metadata({_ABOUT: json.dumps(about)})
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # of a full disk
