"""Files that outlive a machine that loses its power: on disk, under their name, before the call returns."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Returns when a file, or the names in a folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Returns when all that lies in ``folder`` is on disk."""
    for path in (folder, *folder.rglob("*")):
        if path.is_file() or path.is_dir():
            sync(path)


def move(partial: Path, final: Path) -> None:
    """Gives what is on disk already its final name, which replaces a file of that name."""
    partial.replace(final)
    sync(final.parent)


def write_text(path: Path, text: str) -> None:
    """Writes a whole file: complete or as it was before."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file: complete or as it was before."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    sync(partial)
    move(partial, path)
