"""The files of a task folder that was packed as a tar, read in memory.

Python's ``tarfile`` takes longer for a task than everything else together, so the headers (POSIX ustar and pax, GNU
long names) are read here. Nothing is unpacked to disk, and an archive with anything but plain files and folders is
refused.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ablation.tasks.harbor.folder import MAX_BYTES, matters
from ablation.tasks.reading import TaskError

MAX_UNPACKED = 2 * MAX_BYTES  # bytes of a whole archive
MAX_MEMBERS = 2000  # of an archive, with folders
_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_REFUSED = {b"1": "a hard link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a named pipe"}
_SHORT = "task_binary ends in the middle of {}; expected a whole tar: fetch or write the file again"


class _Member(NamedTuple):
    name: str
    kind: bytes  # type flag of the header
    start: int
    end: int  # of its content


def unpack(data: bytes) -> dict[str, str]:
    """The files of a tar, gzipped or not, that matter to a task, by their path in it.

    Raises TaskError: it is damaged, has members that are no plain files or lie outside, or is too large.
    """
    tar = _decompressed(data) if data[:2] == b"\x1f\x8b" else data
    found: dict[str, str] = {}
    total = 0
    for member in _members(tar):
        name = _inside(member.name)
        if member.kind == b"5":
            continue
        if member.kind not in (b"0", b"\0"):
            what = _REFUSED.get(member.kind, "no plain file")
            raise TaskError(f"task_binary has {what}, {member.name!r}; expected files and folders alone")
        if not matters(name):
            continue
        total += member.end - member.start
        if total > MAX_BYTES:
            raise TaskError(f"task_binary has files of more than {MAX_BYTES >> 20} MiB; expected the files of a task")
        found[name] = tar[member.start : member.end].decode("utf-8", errors="surrogateescape")
    return found


def _decompressed(data: bytes) -> bytes:
    parts: list[bytes] = []
    left = MAX_UNPACKED
    try:
        while data:
            unzip = zlib.decompressobj(wbits=31)
            parts.append(unzip.decompress(data, left + 1))
            left -= len(parts[-1])
            if left < 0:
                raise TaskError(f"task_binary unpacks to more than {MAX_UNPACKED >> 20} MiB; expected one task's files")
            if not unzip.eof:
                raise TaskError(_SHORT.format("its gzip stream"))
            data = unzip.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise TaskError(f"task_binary is damaged ({error}); expected a tar, gzipped or plain") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _members(tar: bytes) -> Iterator[_Member]:
    """The members of a tar in order, with the names and sizes that extended headers give them."""
    at = count = 0
    extended: dict[str, str] = {}
    while (header := tar[at : at + _BLOCK]) != _ZEROS:
        if len(header) < _BLOCK:
            raise TaskError(_SHORT.format("its tar" if at else "its first header"))
        if (count := count + 1) > 2 * MAX_MEMBERS:  # each may have a header of its own
            raise TaskError(f"task_binary has more than {MAX_MEMBERS} members; expected the files of one task")
        if sum(header) - sum(header[148:156]) + 8 * 32 != _number(header[148:156]):
            raise TaskError(
                "task_binary is damaged (a tar header's checksum is wrong); expected a tar, gzipped or plain"
            )
        kind, size = header[156:157], int(extended.get("size", _number(header[124:136])))
        start, end = at + _BLOCK, at + _BLOCK + size
        if size < 0 or end > len(tar):
            raise TaskError(_SHORT.format(f"{_name(header, extended)!r}"))
        at = end + -size % _BLOCK
        if kind == b"x":
            extended |= _records(tar[start:end])
        elif kind == b"L":
            extended["path"] = _text(tar[start:end])
        elif kind not in (b"g", b"K"):
            yield _Member(_name(header, extended), kind, start, end)
            extended = {}


def _records(data: bytes) -> dict[str, str]:
    """Keywords and values of a pax header that say where and how long a member is."""
    found: dict[str, str] = {}
    while data:
        length, _, rest = data.partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(data):
            raise TaskError("task_binary is damaged (an extended tar header is no such thing); expected a whole tar")
        keyword, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        if keyword in (b"path", b"size"):
            found[keyword.decode()] = value.decode("utf-8", errors="surrogateescape")
        data = data[int(length) :]
    if not found.get("size", "0").isdecimal():
        raise TaskError("task_binary is damaged (a member's size is no number); expected a whole tar")
    return found


def _name(header: bytes, extended: Mapping[str, str]) -> str:
    if "path" in extended:
        return extended["path"]
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", errors="surrogateescape")


def _number(field: bytes) -> int:
    """An octal number, or GNU's binary one."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        return -1


def _inside(name: str) -> str:
    """The path of a member in the task's folder. Raises TaskError for one that lies outside."""
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise TaskError(f"task_binary has {name!r}, a place outside of the task's folder; expected paths in it")
    return name.removeprefix("./")
