"""Task folders packed as the field packs them, and as it should not."""

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from harbor_folders import write_task

MTIME = 1767225600.25  # with a fraction, as files have it: each member gets a pax header


Content = dict[str, str | bytes]


def packed(files: Content, mode: str = "w:gz", format: int = tarfile.PAX_FORMAT, *odd: tarfile.TarInfo) -> bytes:
    """A tar of ``files``, before them the ``odd`` members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=format) as tar:
        for member in odd:
            tar.addfile(member)
        for name, content in files.items():
            data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), MTIME if format == tarfile.PAX_FORMAT else int(MTIME)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """A member without content."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def folder_files(scratch: Path, **options) -> Content:
    """The files of ``write_task``."""
    folder = write_task(scratch, **options)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def write_rows(path: Path, rows: list[tuple[str | None, bytes | None]], row_group_size: int | None = None) -> Path:
    table = pa.table(
        {
            "path": pa.array([row[0] for row in rows], pa.string()),
            "task_binary": pa.array([row[1] for row in rows], pa.binary()),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path
