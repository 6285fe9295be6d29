"""The transaction log of a W&B run (``run-<id>.wandb``), record by record, in constant memory.

The format is that of LevelDB's log with another checksum: 7 bytes that name the file, then blocks of 32 KiB
whose chunks (CRC32 of kind and data, length, kind, data) join into records, which are protobuf messages.
Runs that were killed or are still being written end in the middle of a record.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from google.protobuf.message import DecodeError

from analysis.errors import AnalysisError
from analysis.sources import wandb_messages

BLOCK = 32 * 1024  # bytes
MAGIC = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
_HEADER = struct.Struct("<IHB")
_BAD, _FULL, _FIRST, _MIDDLE, _LAST = range(5)


class Damage(NamedTuple):
    """A stretch of the log that could not be read.

    ``records`` is how many were lost, by the numbers of those around it; None where nobody can know.
    ``torn`` when it is the end of a log that stops in the middle of a record.
    """

    offset: int  # of its first byte
    size: int  # bytes
    records: int | None
    torn: bool


class _Chunk(NamedTuple):
    offset: int
    kind: int  # _BAD: ``data`` is empty and the bytes up to the next chunk are unreadable
    data: bytes
    cut: bool = False  # it runs past the end of the file


class _Payload(NamedTuple):
    offset: int
    data: bytes


def read_log(path: Path, message: Any = wandb_messages.Record) -> Iterator[Any]:
    """The records of a log in their order, with a `Damage` where some could not be read.

    ``message`` is their class: the few fields that an analysis reads, or ``wandb.proto.wandb_internal_pb2.Record``
    for all of them.

    Raises:
        AnalysisError: the file is no W&B log.
        OSError: it cannot be read.
    """
    number = 0
    damage: Damage | None = None
    for found in _payloads(path):
        if isinstance(found, _Payload):
            try:
                record = message.FromString(found.data)
            except DecodeError:
                found = Damage(found.offset, len(found.data), None, False)
            else:
                if damage:
                    lost = record.num - number - 1 if 0 < number < record.num else None
                    yield damage._replace(records=lost)
                    damage = None
                number = record.num
                yield record
                continue
        # One sentence is enough for neighbours, and only the next record tells how many were lost.
        damage = found._replace(offset=damage.offset, size=damage.size + found.size) if damage else found
    if damage:
        yield damage


def _payloads(path: Path) -> Iterator[_Payload | Damage]:
    """Chunks joined into records; what cannot be joined is damage."""
    parts: list[bytes] | None = None  # of the record that is being joined
    lost_from: int | None = None  # where that record, or the unreadable stretch, begins
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
        if begin != MAGIC:
            raise AnalysisError(
                f"{path} begins with {begin!r} where a W&B log begins with {MAGIC!r}: move it out of the folder."
            )
        torn = True
        for chunk in _chunks(file):
            if chunk.kind in (_FULL, _FIRST) and lost_from is not None:
                yield Damage(lost_from, chunk.offset - lost_from, None, False)
                parts, lost_from = None, None
            if chunk.kind == _FULL:
                yield _Payload(chunk.offset, chunk.data)
            elif chunk.kind == _FIRST:
                parts, lost_from, torn = [chunk.data], chunk.offset, True
            elif chunk.kind == _BAD or parts is None:
                lost_from = chunk.offset if lost_from is None else lost_from
                parts, torn = None, chunk.cut
            else:
                parts.append(chunk.data)
                if chunk.kind == _LAST and lost_from is not None:
                    yield _Payload(lost_from, b"".join(parts))
                    parts, lost_from = None, None
        if lost_from is not None:
            yield Damage(lost_from, file.tell() - lost_from, None, torn)


def _chunks(file: BinaryIO) -> Iterator[_Chunk]:
    """The chunks of a file that is open after its first 7 bytes, good and bad ones."""
    base, at = 0, len(MAGIC)
    block = MAGIC + file.read(BLOCK - at)
    while block:
        while at + _HEADER.size <= len(block):
            end = _end_of_chunk(block, at)
            if end:
                yield _Chunk(base + at, block[at + 6], block[at + _HEADER.size : end])
                at = end
                continue
            good = next((i for i in range(at + 1, len(block) - 6) if _end_of_chunk(block, i)), None)
            yield _Chunk(base + at, _BAD, b"", cut=good is None and _cut(block, at))
            at = good or len(block)
        if len(block) < BLOCK:
            if at < len(block):
                yield _Chunk(base + at, _BAD, b"", cut=True)
            return  # what is appended from here on is not on a block's border
        base, at = base + len(block), 0
        block = file.read(BLOCK)


def _end_of_chunk(block: bytes, at: int) -> int:
    """Where the chunk at ``at`` ends; 0 when there is no whole and undamaged one."""
    kind = block[at + 6]
    if not _FULL <= kind <= _LAST:
        return 0
    checksum, size, _ = _HEADER.unpack_from(block, at)
    end: int = at + _HEADER.size + size
    whole = end <= len(block) and zlib.crc32(memoryview(block)[at + 6 : end]) == checksum
    return end if whole else 0


def _cut(block: bytes, at: int) -> bool:
    """Whether the chunk at ``at`` would be whole if the file had not stopped, or is zeros up to there."""
    _, size, kind = _HEADER.unpack_from(block, at)
    runs_past = _FULL <= kind <= _LAST and len(block) < at + _HEADER.size + size <= BLOCK
    return runs_past or not any(block[at:])
