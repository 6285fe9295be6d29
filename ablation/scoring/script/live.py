"""A started namespace: what it prints, how it ends, and that nothing of it is left."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from typing import Self

from ablation.scoring.room import EVERY_S, Room
from ablation.scoring.script.inside import READY
from ablation.scoring.script.namespace import NamespaceError

DEADLINE = "the deadline passed"
LOG_BYTES = 32 << 10  # kept of what a script prints: the end, where the reason is
START_S = 20.0  # for the namespace to be there, on a busy machine
END_S = 5.0  # for the namespace to end once it is killed
MARGIN_S = START_S + 2 * END_S  # beyond the script's own time: also for its folders to be made and removed


class LiveNamespace:
    """A started namespace, known by its first process: when that one has ended, all others have."""

    def __init__(self, argv: list[str], variables: dict[str, str], stdin: int) -> None:
        incoming, outgoing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [argv[0], "--info-fd", str(outgoing), *argv[1:]],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=variables,
                pass_fds=(outgoing,),
                start_new_session=True,
            )
        finally:
            os.close(outgoing)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._tail, self._printed, self.ready = bytearray(), 0, False
        with os.fdopen(incoming, "rb") as info:
            self._first = self._opened(info.fileno())

    @property
    def exit_code(self) -> int:
        return self._process.returncode

    def watch(self, deadline: float, room: Room) -> str:
        """Take in what is printed until the namespace ends; why it should be ended, where it does not by itself."""
        sources = [self._first, self._output.fileno()]
        look = time.monotonic() + EVERY_S
        while (now := time.monotonic()) < deadline:
            if now >= look:
                if room.is_exceeded():
                    return f"it wrote more than {room}"
                look = time.monotonic() + EVERY_S
            ready = select.select(sources, [], [], min(deadline - now, EVERY_S))[0]
            if self._first in ready:
                return ""
            if ready and self._read() == b"":
                sources.remove(self._output.fileno())
        return DEADLINE

    def log(self) -> str:
        text = bytes(self._tail[-LOG_BYTES:]).decode(errors="replace")
        missing = self._printed - LOG_BYTES
        return f"({missing:,} bytes before this are not kept)\n{text}" if missing > 0 else text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first, signal.SIGKILL)
        gone = select.select([self._first], [], [], END_S)[0]
        os.close(self._first)
        self._close()
        if not gone:
            raise NamespaceError(f"its processes outlive SIGKILL for {END_S:.0f} s")

    def _opened(self, info: int) -> int:
        """A descriptor of the first process. Raises NamespaceError when there is none."""
        said = b""
        while select.select([info], [], [], START_S)[0] and (chunk := os.read(info, 4096)):
            said += chunk
        try:
            return os.pidfd_open(json.loads(said)["child-pid"])
        except (ValueError, KeyError, OSError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)  # it is about to say why
            self._close()
            raise NamespaceError(f"its namespace could not be made ({self.log().strip() or error})") from None

    def _close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
            self._process.kill()
        self._process.wait()
        while self._read():
            pass
        self._output.close()

    def _read(self) -> bytes | None:
        """Take in some output: empty at its end, None when there is none at the moment."""
        try:
            chunk = os.read(self._output.fileno(), 1 << 16)
        except BlockingIOError:
            return None
        kept = chunk
        if not self.ready and self._printed == 0 and chunk.startswith(READY):
            self.ready, kept = True, chunk.removeprefix(READY)
        self._printed += len(kept)
        self._tail += kept
        del self._tail[: -2 * LOG_BYTES]
        return chunk
