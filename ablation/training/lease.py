"""Who trains a chain: a lease on its folder, kept by a heartbeat, that works wherever a new file is seen by all nodes.

filelock's ``SoftFileLease`` does the work: the holder touches the lease file, and a contender may take it when it
has seen no touch for ``LEASE_S`` seconds of its own monotonic clock, so that neither clocks that differ nor clocks that
jump matter; on one machine it takes the lease of a process that is gone at once. What is added here: a contender gives
up as soon as it sees the holder's heart beat, takes over also where a file system cannot exchange two names in one go
(NFS, Lustre), and a link asks before it writes whether the lease is still its supervisor's.
"""

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from filelock import SoftFileLease, Timeout

from ablation.chain_files import LEASE
from ablation.config import ConfigError

LEASE_S = 30.0  # of silence, after which another machine may take over
BEAT_S = 5.0
_POLL_S = 0.5
_LOOK_AGAIN_S = 1.0  # a contender that checks a lease moves it aside for a moment
_INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # of Linux, fixed


class LeaseLostError(RuntimeError):
    """Another process has taken over the chain: nothing of it may be written any more."""


@contextlib.contextmanager
def held(folder: Path, waiting: Callable[[str], None]) -> Iterator[SoftFileLease]:
    """Holds the lease of a chain's folder; tells ``waiting`` in a sentence when that takes a while.

    Raises ConfigError when another process trains the chain.
    """
    lease = SoftFileLease(folder / LEASE, lease_duration=LEASE_S, heartbeat_interval=BEAT_S)
    try:
        _acquire(lease, folder, waiting)
    except Timeout as error:
        raise ConfigError(
            f"{folder} is being trained by another process ({holder(folder)}); wait for it, or choose another study "
            "with study=…"
        ) from error
    try:
        yield lease
    finally:
        lease.release()


def holder(folder: Path) -> str:
    """Returns which process holds a folder's lease, in words."""
    owner = SoftFileLease(folder / LEASE).owner
    return f"process {owner.pid} on {owner.hostname}" if owner else "nobody"


def check(folder: Path, token: str) -> None:
    """Raises LeaseLostError when the lease of a folder is not the claim ``token``, or cannot be read."""
    for patience_s in (_LOOK_AGAIN_S, 0.0):
        with contextlib.suppress(OSError):
            if f"token={token}\n" in (folder / LEASE).read_text():
                return
        time.sleep(patience_s)
    raise LeaseLostError(f"the lease of {folder} was taken over by {holder(folder)}")


def _acquire(lease: SoftFileLease, folder: Path, waiting: Callable[[str], None]) -> None:
    with contextlib.suppress(Timeout):
        lease.acquire(blocking=False)
        return
    watch = _Watch(lease)
    if not watch.is_gone():
        waiting(f"{holder(folder)} has the chain: waiting up to {LEASE_S:.0f} s for a sign of life")
        with contextlib.suppress(Timeout):
            lease.acquire(timeout=LEASE_S + 2 * _POLL_S, poll_interval=_POLL_S, cancel_check=watch.sees_life)
            return
    watch.take_aside()
    lease.acquire(blocking=False)


class _Watch:
    """A contender's view of a lease that it could not get."""

    def __init__(self, lease: SoftFileLease) -> None:
        self._path = Path(lease.lock_file)
        self._owner = lease.owner
        self._beat = self._last_beat()
        self._since = time.monotonic()

    def sees_life(self) -> bool:
        """Whether the holder's heart has beaten since this began."""
        beat = self._last_beat()
        return beat is not None and beat != self._beat

    def is_gone(self) -> bool:
        """Whether the holder was a process of this machine, and is no more."""
        here = self._owner is not None and self._owner.hostname == socket.gethostname() and not _in_container()
        return here and self._owner is not None and not psutil.pid_exists(self._owner.pid)

    def take_aside(self) -> None:
        """Removes the lease if its holder is gone or silent for too long; one that came in between goes back."""
        silent = not self.sees_life() and time.monotonic() - self._since >= LEASE_S
        if self._owner is None or not (silent or self.is_gone()):
            return
        aside = self._path.with_name(f"{LEASE}.{secrets.token_hex(8)}")
        with contextlib.suppress(FileNotFoundError):  # another contender was faster
            self._path.rename(aside)
            if f"token={self._owner.token}\n" not in aside.read_text():
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self._path)
            aside.unlink()

    def _last_beat(self) -> tuple[int, int] | None:
        try:
            seen = self._path.stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_ino


def _in_container() -> bool:
    """Whether process ids mean something else here than on the machine of this name."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino != _INITIAL_PID_NAMESPACE
    except OSError:
        return False
