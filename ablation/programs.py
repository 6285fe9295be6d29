"""What other programs print: git above all."""

import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

_TIMEOUT_S = 20.0
# A hook of another repository sets these, and git would look there.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def output(
    command: Sequence[str], environment: dict[str, str] | None = None, codes: Collection[int] = (0,)
) -> bytes | None:
    """Returns what a program prints; None when it is absent, hangs, or exits with another code than ``codes``."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in codes else None


def git(root: Path, *arguments: str, codes: Collection[int] = (0,)) -> bytes | None:
    """Returns what git prints in ``root``; None as for `output`."""
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return output(["git", "-C", str(root), *arguments], environment, codes)
