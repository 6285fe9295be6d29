"""Run one script in a namespace of its own, to its end or its deadline; nothing of it is left on return."""

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.scoring.cleaning import remove
from ablation.scoring.containment.paths import PACKAGE
from ablation.scoring.room import Room
from ablation.scoring.script import inside
from ablation.scoring.script.live import LiveNamespace
from ablation.scoring.script.namespace import INSIDE, NamespaceError, command, environment
from ablation.tasks.task import Script

MAX_MEGABYTES, MAX_ENTRIES = 2048, 50_000  # that a script and a candidate may write, with what the task brings
TESTS, LOGS, SOLUTION = "/tests", "/logs/verifier", "/solution"


@dataclass(frozen=True)
class Ended:
    """How a script ended."""

    exit_code: int | None  # None: it was ended
    log: str  # the last ``LOG_BYTES`` of what it printed, and how much is missing
    seconds: float
    why: str = ""  # it was ended: its time was over, or it wrote too much


class Scratch:
    """The folders of one run, on the caller's disk."""

    def __init__(self, root: Path, script: Script) -> None:
        """Raises NamespaceError: a file has no place in them."""
        self.work, self.verifier = root / "work", root / "verifier"
        self._folder = script.folder
        self.root = root
        for name in ("work", "verifier", "tests", "logs", "logs/verifier", "tmp", "shm"):
            (root / name).mkdir()
        for path, content in script.files:
            if path.startswith(f"{TESTS}/"):
                write_file(root / "tests", path.removeprefix(f"{TESTS}/"), content)
            else:
                write_file(self.work, path.removeprefix(f"{script.folder}/"), content)

    def command(self, solution: Path | None) -> list[str]:
        """The command line of a run. Raises NamespaceError."""
        bound = {"/dev/shm": "shm", "/tmp": "tmp", "/logs": "logs", LOGS: "verifier", self._folder: "work"}
        readable = {TESTS: self.root / "tests", f"{INSIDE}/inside.py": Path(inside.__file__)}
        readable[f"{INSIDE}/ablation/scoring/extract.py"] = PACKAGE / "scoring" / "extract.py"
        if solution is not None:
            readable[SOLUTION] = solution
        argv = [sys.executable, "-E", "-S", f"{INSIDE}/inside.py"]
        return command({path: self.root / name for path, name in bound.items()}, readable, self._folder, argv)


@contextlib.contextmanager
def scratch(script: Script, place: Path | None = None) -> Iterator[Scratch]:
    """Fresh folders with what the task brings, in ``place`` or where temporary files go.

    Raises:
        NamespaceError: a file has no place in them.
    """
    root = Path(tempfile.mkdtemp(prefix="ablation-script-", dir=place)).resolve()
    try:
        yield Scratch(root, script)
    finally:
        remove(root)  # unlike the library, at any depth, and without opening what links lead to


def run(
    folders: Scratch,
    script: Script,
    argv: list[str],
    placed: Mapping[str, Any],
    timeout_s: float,
    solution: Path | None = None,
) -> Ended:
    """Run ``bash`` with ``argv`` once ``placed`` (see ``inside.main``) is in place.

    Raises:
        NamespaceError: the namespace could not be made, or does not end.
    """
    job = {"module": None, **placed, "argv": argv, "memory_mb": script.memory_mb, "cpu_s": int(timeout_s) + 2}
    started = time.monotonic()
    with tempfile.TemporaryFile(dir=folders.root) as stdin:
        stdin.write(json.dumps(job).encode("ascii"))
        stdin.seek(0)
        with LiveNamespace(folders.command(solution), environment(script.folder), stdin.fileno()) as namespace:
            why = namespace.watch(started + timeout_s, Room(folders.root, MAX_MEGABYTES, MAX_ENTRIES))
    if not namespace.ready:
        raise NamespaceError(
            f"its namespace could not be made ({namespace.log().strip() or 'it did not start in time'})"
        )
    return Ended(None if why else namespace.exit_code, namespace.log(), time.monotonic() - started, why)


def write_file(root: Path, relative: str, content: str) -> None:
    """Write a file of a task beneath ``root``. Raises NamespaceError: it has no place there."""
    path = root / relative
    if relative.startswith("/") or ".." in path.parts:
        raise NamespaceError(f"{relative!r} is outside of the folders of a task")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", errors="surrogateescape"))
        path.chmod(0o755)  # the bits of a task's folder are often lost on its way
    except (OSError, ValueError) as error:  # a name that is too long, that is a folder's too, or that holds a NUL
        raise NamespaceError(f"{relative[:100]!r} cannot be written ({error})") from None
