"""A copy of a ``.wandb`` log for uploading: whole records only, and only the rows that are wanted."""

import shutil
import struct
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

from analysis.sources.wandb_items import CALL
from analysis.sources.wandb_log import BLOCK, MAGIC, Damage, read_log
from analysis.sync.logs import Log

_HEADER_SIZE = 7  # bytes
_FULL, _FIRST, _MIDDLE, _LAST = range(1, 5)
_ADDED_UP = ("stats", "output", "output_raw", "alert")  # what a server would have twice if it were sent twice


def write_copy(log: Log, folder: Path, rows: Collection[int], *, sent: int, renumber: bool) -> Path:
    """Writes a run folder with the log's whole records and its other files; returns the copy of the log.

    Of the history only the records with the numbers in ``rows`` are in it, counted anew from 0 if ``renumber``;
    what only adds up on a server (console, system metrics, alerts) is left out up to the record number ``sent``.
    """
    folder.mkdir(parents=True)
    _link_files(log.path.parent / "files", folder / "files")
    copy = folder / log.path.name
    with copy.open("wb") as file:
        write_log(file, _wanted(log, frozenset(rows), sent, renumber))
    return copy


def write_log(file: BinaryIO, records: Iterable[Record]) -> None:
    """Writes records as a ``.wandb`` log: chunks that do not cross blocks, as `wandb_log` reads them."""
    at = file.write(MAGIC)
    for record in records:
        data = memoryview(record.SerializeToString())
        begun = False
        while not begun or data:
            room = BLOCK - at % BLOCK
            if room < _HEADER_SIZE:
                at += file.write(bytes(room))
                room = BLOCK
            part, data = data[: room - _HEADER_SIZE], data[room - _HEADER_SIZE :]
            kind = (_MIDDLE if data else _LAST) if begun else (_FIRST if data else _FULL)
            checksum = zlib.crc32(part, zlib.crc32(bytes([kind])))
            at += file.write(struct.pack("<IHB", checksum, len(part), kind)) + file.write(part)
            begun = True


def _wanted(log: Log, rows: frozenset[int], sent: int, renumber: bool) -> Iterable[Record]:
    count = 0
    for record in read_log(log.path, Record):
        if isinstance(record, Damage) or record.num > log.last_record:
            continue
        kind = record.WhichOneof("record_type")
        if kind in _ADDED_UP and record.num <= sent:
            continue
        if kind == "history":
            if record.num not in rows:
                continue
            if renumber:
                _number(record, count)
            count += 1
        yield record


def _number(record: Record, call: int) -> None:
    record.history.step.num = call
    for entry in record.history.item:
        if entry.key == CALL or list(entry.nested_key) == [CALL]:
            entry.value_json = str(call)


def _link_files(source: Path, target: Path) -> None:
    """The run's other files: those at the top, which the client rewrites, as copies, folders such as media as links."""
    if not source.is_dir():
        return
    target.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            (target / entry.name).symlink_to(entry.absolute())
        else:
            shutil.copy2(entry, target / entry.name, follow_symlinks=False)
