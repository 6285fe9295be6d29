"""Length-prefixed frames, and JSON in them: how the processes of scoring talk."""

import json
import os
import struct
import time
from typing import Any

READY = b"ready"  # what a confined child says first
TOGETHER_S = 0.02
_LENGTH = struct.Struct("!I")


class OversizedFrameError(Exception):
    """A frame is announced that is larger than any honest one."""


def write_body(fd: int, body: bytes) -> None:
    """Write one frame to a blocking descriptor."""
    _write(fd, _LENGTH.pack(len(body)) + body)


def read_body(fd: int) -> bytes | None:
    """The content of the next frame of a blocking descriptor; None when the other side is gone."""
    header = _read_exactly(fd, _LENGTH.size)
    return _read_exactly(fd, _LENGTH.unpack(header)[0]) if header else None


def encode(message: dict[str, Any]) -> bytes:
    """One frame of JSON. ASCII only, so that lone surrogates survive the trip."""
    body = json.dumps(message).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def write_frame(fd: int, message: dict[str, Any]) -> None:
    """Write one frame of JSON to a blocking descriptor."""
    write_body(fd, json.dumps(message).encode("ascii"))


class Outbox:
    """Frames of JSON for a blocking descriptor; what follows soon goes together, as every write wakes the reader."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._data = bytearray()
        self._sent = 0.0  # when the last of them went, in the time of time.monotonic

    def put(self, message: dict[str, Any], *, urgent: bool) -> None:
        """Add a frame; it goes at once when it is urgent or nothing went for ``TOGETHER_S``."""
        self._data += encode(message)
        if urgent or time.monotonic() > self._sent + TOGETHER_S:
            self.flush()

    def flush(self) -> None:
        """Write what is there."""
        _write(self._fd, self._data)
        self._data.clear()
        self._sent = time.monotonic()


def read_frame(fd: int) -> dict[str, Any] | None:
    """The next frame of JSON of a blocking descriptor; None when the other side is gone."""
    body = read_body(fd)
    return None if body is None else json.loads(body)


def _write(fd: int, data: bytes | bytearray) -> None:
    with memoryview(data) as left:
        at = 0
        while at < len(left):
            at += os.write(fd, left[at:])


def _read_exactly(fd: int, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        chunk = os.read(fd, size - len(data))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


class FrameBuffer:
    """Cuts what arrives in pieces of any size into frames of at most ``limit`` bytes."""

    def __init__(self, limit: int = 1 << 31) -> None:
        self._data = bytearray()
        self._limit = limit

    def bodies(self, data: bytes) -> list[bytes]:
        """The contents of the frames that ``data`` completes. Raises OversizedFrameError."""
        self._data += data
        bodies = []
        while len(self._data) >= _LENGTH.size:
            size = _LENGTH.unpack_from(self._data)[0]
            if size > self._limit:
                raise OversizedFrameError(f"a frame of {size:,} bytes; at most {self._limit:,} are expected")
            end = _LENGTH.size + size
            if len(self._data) < end:
                break
            bodies.append(bytes(self._data[_LENGTH.size : end]))
            del self._data[:end]
        return bodies

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The JSON of the frames that ``data`` completes."""
        return [json.loads(body) for body in self.bodies(data)]
