"""Run in a fork of the evaluator what may leave something behind."""

import os
import pickle
import select
import signal
from collections.abc import Callable
from time import monotonic  # by name: tests replace what is in the module

from ablation.scoring.evaluator.execution import Findings

_loads = pickle.loads  # before it is guarded against what candidates say
MARGIN_S = 0.1  # for the fork to end by itself after the deadline
MAX_BYTES = 16 << 20


def in_a_fork(work: Callable[[], Findings], deadline: float) -> Findings:
    """What ``work`` finds, run in a fork that is killed when it overruns ``deadline`` of ``time.monotonic``."""
    incoming, outgoing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(incoming)
            with os.fdopen(outgoing, "wb") as out:
                pickle.dump(work(), out)
        finally:
            os._exit(0)
    os.close(outgoing)
    try:
        data = _read(incoming, deadline + MARGIN_S)
    finally:
        os.close(incoming)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if data is None:
        return Findings(end=("timeout", "the deadline passed"))
    # Written by this program's own code: the candidate runs elsewhere, and what the tests said is plain data.
    return _loads(data) if data else Findings(end=("gone", "the tests ended their process"))


def _read(incoming: int, deadline: float) -> bytes | None:
    data = bytearray()
    while (left := deadline - monotonic()) > 0 and select.select([incoming], [], [], left)[0]:
        chunk = os.read(incoming, 1 << 16)
        if not chunk:
            return bytes(data)
        data += chunk
        if len(data) > MAX_BYTES:
            return b""
    return None
