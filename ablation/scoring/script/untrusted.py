"""Read files that a hostile process may have made: no link is followed, nothing waits, and sizes are bounded."""

import contextlib
import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_plain(root: Path, relative: str, limit: int) -> bytes | None:
    """The content of the regular file ``relative`` beneath ``root``; None when there is none, or more than ``limit``
    bytes of it.
    """
    with contextlib.ExitStack() as opened:
        place = os.open(root, _FLAGS | os.O_DIRECTORY)
        opened.callback(os.close, place)
        *folders, name = relative.split("/")
        try:
            for folder in folders:
                place = os.open(folder, _FLAGS | os.O_DIRECTORY, dir_fd=place)
                opened.callback(os.close, place)
            place = os.open(name, _FLAGS, dir_fd=place)
            opened.callback(os.close, place)
            return _content(place, limit)
        except OSError:
            return None


def _content(descriptor: int, limit: int) -> bytes | None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    data = b""
    while len(data) <= limit and (chunk := os.read(descriptor, limit + 1 - len(data))):
        data += chunk
    return data if len(data) <= limit else None
