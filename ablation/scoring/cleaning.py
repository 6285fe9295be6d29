"""Removing what candidates wrote, however they nested or closed it, with no program and no recursion."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path) -> None:
    """Remove a folder with all in it, or a file; links are not followed. What resists is left."""
    with contextlib.suppress(FileNotFoundError), _opened(path.parent) as parent:
        _remove(path.name, parent)


def empty(folder: Path) -> None:
    """Remove everything in a folder; what resists is left."""
    with _opened(folder) as descriptor:
        for entry in list(os.scandir(descriptor)):
            _remove(entry.name, descriptor)


def _remove(name: str, parent: int) -> None:
    """Remove ``name`` from the folder open as ``parent``.

    One folder is open at a time and named from the one above it, so that neither the number of descriptors nor the
    length of a path bounds the depth. Stops where a folder was moved meanwhile.
    """
    if not _is_folder(name, parent):
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=parent)
        return
    current = os.dup(parent)
    above: list[tuple[str, os.stat_result, list[str]]] = []  # name, parent, and what is left of that, of each entered
    pending = [name]
    try:
        while True:
            if pending:
                name = pending.pop()
                below = _enter(name, current)
                if below is None:
                    continue
                above.append((name, os.fstat(current), pending))
                os.close(current)
                current, pending = below, _folders_left(below)
            elif above:
                back = os.open("..", _FOLDER, dir_fd=current)
                os.close(current)
                current = back
                name, parent_then, pending = above.pop()
                if not os.path.samestat(os.fstat(current), parent_then):
                    return
                with contextlib.suppress(OSError):
                    os.rmdir(name, dir_fd=current)
            else:
                return
    finally:
        os.close(current)


def _enter(name: str, parent: int) -> int | None:
    """Open a folder, also one that its owner closed; None when that fails."""
    with contextlib.suppress(OSError):
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        return None


def _folders_left(folder: int) -> list[str]:
    """Remove what is no folder; the names of those that are."""
    folders = []
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
            continue
        with contextlib.suppress(OSError):
            os.unlink(entry.name, dir_fd=folder)
    return folders


def _is_folder(name: str, parent: int) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
