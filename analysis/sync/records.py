"""What is written beside a log about its upload, and the lock that keeps two uploads of one run apart.

``run-<id>.wandb.uploading`` stands there from before the first row is sent until the server has shown them all; then
it becomes ``run-<id>.wandb.synced``, by which ``wandb sync`` too knows to leave the log alone.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.sync.logs import Log


@dataclass(frozen=True)
class Uploaded:
    """A log as it was when it was sent, and where to."""

    target: str  # server, entity, project and id of the run
    size: int  # bytes
    sha256: str
    last_record: int

    @classmethod
    def of(cls, log: Log, target: str) -> "Uploaded":
        return cls(target, log.size, log.sha256, log.last_record)


def uploaded(log: Path) -> Uploaded | None:
    """What was uploaded of a log; None when nothing was, or when somebody else's client did it."""
    return _read(_synced(log))


def begun_s_ago(log: Path) -> float | None:
    """How long ago an upload of a log was begun that did not come to its end; None when there is none."""
    try:
        return time.time() - _uploading(log).stat().st_mtime
    except FileNotFoundError:
        return None


def sent_before(log: Path, target: str) -> int:
    """The number of the last record of a log that may have been sent to a run; 0 when none was."""
    found = [_read(_uploading(log)), _read(_synced(log))]
    return max((each.last_record for each in found if each and each.target == target), default=0)


def begin(log: Log, target: str) -> None:
    """Returns when it is on disk that an upload may have begun."""
    path = _uploading(log.path)
    earlier = sent_before(log.path, target)
    record = Uploaded(target, log.size, log.sha256, max(log.last_record, earlier))
    _write(path, record)


def end(log: Log, target: str) -> None:
    """Returns when it is on disk that a log was uploaded."""
    begin(log, target)
    _uploading(log.path).rename(_synced(log.path))
    _flush_folder(log.path.parent)


@contextmanager
def alone(log: Path, run_id: str) -> Iterator[int]:
    """Holds the lock of a run, which lies beside the folder of its first log; gives its file descriptor.

    A process that inherits the descriptor holds the lock too, so it outlives a parent that is killed.

    Raises:
        AnalysisError: another process holds it, or the folder cannot be written.
    """
    path = log.parent.parent / f".{run_id}.uploading.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise AnalysisError(
            f"{path.parent} cannot be written ({error.strerror}), where it is recorded what was uploaded: copy the "
            "folder to where you may write and give the copy"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AnalysisError("another call is uploading it: wait for that one, or type the command again") from error
        yield descriptor
    finally:
        os.close(descriptor)


def _synced(log: Path) -> Path:
    return log.with_name(f"{log.name}.synced")


def _uploading(log: Path) -> Path:
    return log.with_name(f"{log.name}.uploading")


def _read(path: Path) -> Uploaded | None:
    try:
        return Uploaded(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # absent, or the empty one of `wandb sync`: the server will tell


def _write(path: Path, record: Uploaded) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
