"""Confine the candidate server once, each child that it forks, and the evaluator; end a child with what is left."""

import contextlib
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ablation.scoring.containment import kernel, landlock
from ablation.scoring.containment.bpf import evaluator_program, program
from ablation.scoring.containment.limits import OPEN_FILES, limit_cpu, limit_server
from ablation.scoring.containment.paths import installed, visible
from ablation.scoring.containment.syscalls import Architecture, native
from ablation.scoring.containment.tiers import SandboxError, Tier

SWEEP_S = 5.0  # how long orphans may resist SIGKILL before the server gives up


@dataclass(frozen=True)
class Server:
    """What a confined server needs to know for each of its children."""

    tier: Tier
    pid: int
    cpu_limit_s: int
    filter: kernel.Filter | None


def confine_server(tier: Tier, readable: Iterable[Path], work: Path) -> Server:
    """Confine this process and what it will fork; for ever. To be called after its imports, before its first fork.

    With Landlock it can from here on read Python's library and ``readable``, write in ``work``, and open nothing else.
    Descriptors 0 to 2 become /dev/null; those from 64 on are closed, since the limit of open files is put below them.
    Fork from one thread only: each child dies with the thread that forked it.

    Raises:
        SandboxError: no table of system calls for this machine.
        OSError, ValueError: a layer could not be put on, a path is missing, or one of 0 to 2 is a socket.
    """
    null = _spare_null()
    os.closerange(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    cpu_limit_s = limit_server()
    if sys.platform == "linux":
        kernel.adopt_orphans()
    if tier.seccomp or tier.landlock:
        kernel.forgo_privileges()
    if tier.landlock:
        landlock.restrict([*visible(), *readable], work)
    if sys.platform == "linux":
        kernel.hide_memory()
    calls = kernel.new_filter(program(_architecture(), files=tier.landlock)) if tier.seccomp else None
    for standard in range(3):  # here and not in each child, where it would cost pages; last, so that errors are seen
        os.dup2(null, standard)
    if null > 2:  # else one of them had been closed and is it
        os.close(null)
    return Server(tier, os.getpid(), cpu_limit_s, calls)


def _spare_null() -> int:
    """A descriptor of /dev/null, once it is sure that putting it in place of 0 to 2 loses nothing."""
    for standard in range(3):
        with contextlib.suppress(OSError):  # closed
            if stat.S_ISSOCK(os.fstat(standard).st_mode):
                raise ValueError(f"descriptor {standard} is a socket, which would be lost; move it to 3 or above first")
    return os.open(os.devnull, os.O_RDWR)


def confine_evaluator(tier: Tier, scratch: Path) -> None:
    """Confine this process, which has one thread, and what it will fork; for ever. Its candidate server runs already.

    With Landlock it can from here on read the system's and Python's libraries and what is installed, write in
    ``scratch``, and open nothing else; with seccomp it starts no program and makes no connection.

    Raises:
        SandboxError: no table of system calls for this machine.
        OSError: a layer could not be put on.
    """
    if tier.seccomp or tier.landlock:
        kernel.forgo_privileges()
    if tier.landlock:
        landlock.restrict(installed(), scratch, rights=landlock.WORK | landlock.MAKE_SYM)
    if tier.seccomp:
        calls = kernel.new_filter(evaluator_program(_architecture()))
        kernel.load(calls.address)


def _architecture() -> Architecture:
    architecture = native()
    if architecture is None:
        raise SandboxError("seccomp needs x86-64 or aarch64, and this machine is neither")
    return architecture


def confine_child(server: Server, keep: int, cpu_s: float) -> None:
    """Confine this freshly forked child, which keeps the descriptor ``keep`` (3 to 63) and 0 to 2.

    SIGXCPU ends it a second or two after ``cpu_s`` of CPU time; wall time is the server's to watch.

    Raises:
        OSError, ValueError: a layer could not be put on; the candidate must not run.
    """
    if not 3 <= keep < OPEN_FILES:
        raise ValueError(f"descriptor {keep} cannot be kept, expected one from 3 to {OPEN_FILES - 1}")
    if sys.platform == "linux":
        kernel.die_with(server.pid)
    os.closerange(3, keep)
    os.closerange(keep + 1, OPEN_FILES)
    limit_cpu(cpu_s, server.cpu_limit_s)
    if server.filter is not None:
        kernel.load(server.filter.address)
    else:
        os.setsid()  # the filter lets nobody fork, and on a busy machine a session costs milliseconds


def end_child(server: Server, pid: int) -> int:
    """SIGKILL a child and reap it; its exit code, negative for the signal that ended it.

    Without seccomp a child may have forked: then its group and all orphans of the server, which are not told apart
    from other children, are ended too, so the server must have one child at a time.

    Raises:
        RuntimeError: descendants outlive SIGKILL.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not server.tier.seccomp:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # before the child's setsid; macOS: a zombie
            os.killpg(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if not server.tier.seccomp:
        _sweep()
    return os.waitstatus_to_exitcode(status)


def _sweep() -> None:
    """Kill and reap the orphans that left the candidate's group."""
    deadline = time.monotonic() + SWEEP_S
    while True:
        try:
            pid = os.waitpid(-1, os.WNOHANG)[0]
        except ChildProcessError:
            return
        if pid:
            continue
        if time.monotonic() > deadline:
            raise RuntimeError(f"descendants of a candidate outlive SIGKILL for {SWEEP_S} s")
        for child in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.0005)


def _children() -> Iterator[int]:
    yield from map(int, Path("/proc/thread-self/children").read_text().split())
