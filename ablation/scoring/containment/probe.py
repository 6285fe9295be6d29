"""A small candidate server that tries its own containment: ``python -m ablation.scoring.containment.probe``.

Prints one line per fault, and last the line ``done``; started by ``choose`` for each tier that it tries.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ablation.scoring.containment import kernel
from ablation.scoring.containment.confine import Server, confine_child, confine_server
from ablation.scoring.containment.syscalls import native
from ablation.scoring.containment.tiers import Tier, named

DONE = "done"
_WORKS, _REFUSED, _FAULTY = 0, 1, 2  # exit codes of a trial


def _raw(name: str) -> Callable[[], object]:
    architecture = native()
    assert architecture is not None
    # Arguments that fail even where the call is allowed, with another error than a refusal.
    return lambda: kernel.call(architecture.numbers[name], -1, 0, 0, 0)


def _plain() -> object:
    thread = threading.Thread(target=sorted, args=([3, 1, 2],))
    thread.start()
    thread.join()
    return sum(range(10))


def _read(outside: Path) -> object:
    try:
        return outside.read_bytes()
    except FileNotFoundError as error:  # so it is with an own root
        raise PermissionError from error


def _write_in(work: Path) -> object:
    path = work / "probe"
    path.write_text("x")
    read = path.read_text()
    path.unlink()
    return read


def _lazy_import() -> object:
    assert "unicodedata" not in sys.modules
    return __import__("unicodedata")


def honest(tier: Tier, work: Path) -> dict[str, Callable[[], object]]:
    """What must work."""
    trials: dict[str, Callable[[], object]] = {"plain Python with a thread": _plain}
    if tier.landlock:
        trials |= {"writing in the work folder": lambda: _write_in(work), "importing a module": _lazy_import}
    return trials


def hostile(outside: Path) -> dict[str, Callable[[], object]]:
    """What must be refused."""
    return {
        "reading a file outside": lambda: _read(outside),
        "opening a socket": socket.socket,
        "forking": os.fork,
        "signalling the parent": lambda: os.kill(os.getppid(), 0),
        "ptrace": _raw("ptrace"),
        "memfd_create": _raw("memfd_create"),
        "io_uring_setup": _raw("io_uring_setup"),
        "unshare": _raw("unshare"),
    }


def main() -> None:
    """Arguments: the tier's name, the work folder, a file outside of it that exists."""
    tier, work, outside = named(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    report = os.dup(1)
    server = confine_server(tier, (), work)
    faults = []
    for name, trial in honest(tier, work).items():
        if _try(server, trial) != _WORKS:
            faults.append(f"{name} does not work inside")
    for name, trial in hostile(outside).items():
        if _try(server, trial) != _REFUSED:
            faults.append(f"{name} is not refused inside")
    os.write(report, "\n".join([*faults, DONE]).encode())


def _try(server: Server, trial: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return _REFUSED if code < 0 else code
    code = _FAULTY
    try:
        confine_child(server, 63, 1)
        try:
            trial()
            code = _WORKS
        except PermissionError:
            code = _REFUSED
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
