"""The reference of a task that says how to make it: what ``solution/solve.sh`` writes as the module."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from ablation.scoring.script import namespace
from ablation.scoring.script.namespace import NamespaceError
from ablation.scoring.script.run import SOLUTION, run, scratch, write_file
from ablation.scoring.script.untrusted import read_plain
from ablation.tasks.task import Script

MAX_BYTES = 1 << 20


def solve(script: Script, solution: Iterable[tuple[str, str]], module: str, timeout_s: float) -> str:
    """The source of ``module`` after ``bash /solution/solve.sh``, run in a namespace as candidates are.

    Args:
        solution: (path beneath /solution, content) of the files of the solution.

    Raises:
        NamespaceError: it cannot be run here, does not end, or leaves no such module.
    """
    if (fault := namespace.fault()) is not None:
        raise NamespaceError(fault)
    with tempfile.TemporaryDirectory(prefix="ablation-solve-") as place, scratch(script) as folders:
        for relative, content in solution:
            write_file(Path(place), relative, content)
        ended = run(folders, script, [f"{SOLUTION}/solve.sh"], {}, timeout_s, Path(place).resolve())
        wanted = f"{module.replace('.', '/')}.py"
        data = read_plain(folders.work, wanted, MAX_BYTES)
    if ended.exit_code is None:
        raise NamespaceError(f"solution/solve.sh does not end within {timeout_s:g} s: {ended.why}")
    if data is None:
        said = ended.log.strip().splitlines()
        raise NamespaceError(f"solution/solve.sh leaves no {wanted} ({said[-1] if said else 'it printed nothing'})")
    return data.decode(errors="surrogateescape")
