"""Removing what candidates wrote, however they nested or closed it."""

import os
import shutil
import subprocess
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a folder with all in it, or a file; links are not followed. What resists is left."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except (RecursionError, OSError):  # Python 3.11 recurses into folders, which can be nested deeper than its stack
        pass
    if os.path.lexists(path):  # nested deeply, or closed to its own owner
        for program, *options in (("chmod", "-R", "u+rwX"), ("rm", "-rf")):
            command = [shutil.which(program) or f"/bin/{program}", *options, "--", str(path)]
            subprocess.run(command, stderr=subprocess.DEVNULL, check=False)


def empty(folder: Path) -> None:
    """Remove everything in a folder."""
    for entry in os.scandir(folder):
        remove(Path(entry.path))
