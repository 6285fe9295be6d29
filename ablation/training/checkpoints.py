"""What a chain keeps on disk: candidates on the save grid and the full states that a later link resumes from.

A folder is written under a hidden name, flushed to disk and renamed, so that it is complete or absent. The
trainer's own resume goes on silently without optimizer or random state, so a state carries a manifest of its
files and is verified before it counts.
"""

import errno
import fnmatch
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from ablation import durable

log = logging.getLogger(__name__)

STATES_KEPT = 2
# How the system, and torch's writer when a write falls short, say that there is no room.
_NO_ROOM = ("No space left", "unexpected pos")
_MANIFEST = "manifest.json"
_PREFIX = "checkpoint-"
_ASIDE = "bad-"
_LEFTOVER = re.compile(rf"\.{_PREFIX}\d+\.(partial|replaced)")
# What a state must hold, whatever its manifest says: without one of them the trainer resumes and diverges.
_OF_A_RANK = "rng_state*.pth"
_STATE_FILES = ("trainer_state.json", "optimizer*", "scheduler.pt", _OF_A_RANK, "*model*")


class DiskFullError(OSError):
    """No space was left for a checkpoint; the one before is still valid."""


def write_folder(final: Path, write: Callable[[Path], None]) -> None:
    """Calls ``write`` on an empty folder and moves it to ``final``, replacing what was there.

    Raises DiskFullError, with ``final`` as it was before, when the disk has no room.
    """
    staging = staging_of(final)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        write(staging)
        durable.sync_tree(staging)
    except Exception as error:
        shutil.rmtree(staging, ignore_errors=True)
        if _is_disk_full(error):
            raise DiskFullError(
                errno.ENOSPC,
                f"no space left for {final}; what was saved before is still valid: free some space and run the "
                "same command again",
            ) from error
        raise
    replaced = final.with_name(f".{final.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if final.exists():
        final.rename(replaced)
    durable.move(staging, final)
    shutil.rmtree(replaced, ignore_errors=True)


def staging_of(final: Path) -> Path:
    """Returns where a folder is written before it is moved to ``final``."""
    return final.with_name(f".{final.name}.partial")


def _is_disk_full(error: BaseException | None) -> bool:
    # safetensors and torch wrap the system's error in types of their own, with its text.
    while error is not None:
        of_system = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if of_system or any(words in str(error) for words in _NO_ROOM):
            return True
        error = error.__cause__ or error.__context__
    return False


def drop_leftovers(folder: Path) -> None:
    """Removes what a killed link left of checkpoints that it was writing or removing."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _LEFTOVER.fullmatch(path.name):
            shutil.rmtree(path)


def _remove(folder: Path) -> None:
    """Removes a checkpoint, which nobody sees half removed."""
    hidden = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden)


def candidate_dir(chain_dir: Path, step: int) -> Path:
    return chain_dir / "checkpoints" / f"{_PREFIX}{step}"


def drop_candidates(chain_dir: Path, first_step: int) -> None:
    """Removes the candidates from ``first_step`` on: of a branch that a link abandoned, or to be written anew."""
    for step in saved_steps(chain_dir / "checkpoints"):
        if step >= first_step:
            _remove(candidate_dir(chain_dir, step))


def saved_steps(folder: Path) -> list[int]:
    """Returns the steps that have a complete checkpoint in ``folder``, ascending."""
    if not folder.is_dir():
        return []
    names = (path.name.removeprefix(_PREFIX) for path in folder.iterdir() if path.name.startswith(_PREFIX))
    return sorted(int(name) for name in names if name.isdigit())


def state_dir(resume_dir: Path, step: int) -> Path:
    return resume_dir / f"{_PREFIX}{step}"


def write_state(resume_dir: Path, step: int, write: Callable[[Path], None]) -> None:
    """Writes the full state after ``step`` and drops all but the newest ``STATES_KEPT``, bad ones too.

    Raises RuntimeError, with the states as they were, when ``write`` leaves out what a state must hold.
    """

    def write_with_manifest(folder: Path) -> None:
        write(folder)
        lacking = _lacking(path.name for path in folder.iterdir())
        if lacking:
            raise RuntimeError(f"the state after step {step} was written without {lacking}; expected all of it")
        (folder / _MANIFEST).write_text(json.dumps(_fingerprints(folder), indent=1, sort_keys=True))

    write_folder(state_dir(resume_dir, step), write_with_manifest)
    for old in saved_steps(resume_dir)[:-STATES_KEPT]:
        _remove(resume_dir / f"{_PREFIX}{old}")
    for aside in resume_dir.glob(f"{_ASIDE}{_PREFIX}*"):
        log.info("%s is removed: a newer state is valid.", aside)
        shutil.rmtree(aside)


def latest_state(resume_dir: Path, ranks: int = 1) -> tuple[int, Path] | None:
    """Returns step and folder of the newest valid state of ``ranks`` ranks; sets bad ones aside with a warning."""
    for step in reversed(saved_steps(resume_dir)):
        folder = state_dir(resume_dir, step)
        problem = _problem(folder, ranks)
        if problem is None:
            return step, folder
        aside = folder.with_name(f"{_ASIDE}{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        log.warning("The state %s is not valid (%s); it was set aside as %s.", folder, problem, aside.name)
    return None


def _problem(folder: Path, ranks: int) -> str | None:
    try:
        expected = dict(json.loads((folder / _MANIFEST).read_text()))
    except (OSError, ValueError, TypeError) as error:
        return f"its manifest cannot be read: {error}"
    found = _fingerprints(folder)
    wrong = sorted(name for name in expected if found.get(name) != expected[name])
    if wrong:
        return f"missing or changed: {', '.join(wrong)}"
    lacking = _lacking(Path(name).parts[0] for name in expected)
    if lacking:
        return f"its manifest names no {lacking}"
    states = len(fnmatch.filter(expected, _OF_A_RANK))
    return f"it holds the random states of {states} ranks, and {ranks} were expected" if states != ranks else None


def _lacking(names: Iterable[str]) -> str:
    """Which kinds of files of a state are not among ``names``."""
    known = list(names)
    return ", ".join(kind for kind in _STATE_FILES if not fnmatch.filter(known, kind))


def _fingerprints(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): _sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != _MANIFEST
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
