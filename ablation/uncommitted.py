"""What a work tree adds to its commit: its hash, and a file that ``git apply`` takes.

Files that git ignores are never looked at. Of untracked ones the content is kept when it is small text and the name
does not say that it is a secret, else the name.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ablation import durable
from ablation.programs import git

FOLDER = "provenance"  # in a chain's folder, and in the training_logs of a published model
LARGEST = 2 * 1024**2  # bytes of changes that are kept
LARGEST_FILE = 64 * 1024  # bytes of an untracked file that is kept
MOST_FILES = 200  # untracked ones that are kept, and names of others that are told
_SECRETS = (".env*", "*.env", "*.pem", "*.key", "id_*", ".netrc", "*credential*", "*secret*", "*token*.txt")
_DIFF = ("diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/")


@dataclass(frozen=True)
class Changes:
    """A commit and what differs from it below a folder."""

    commit: str
    tracked: bytes  # the difference of tracked files, as git prints it
    untracked: tuple[str, ...]  # names of files, relative to the folder
    sha256: str | None  # of all that, contents included; None when nothing differs


def changes_of(root: Path) -> Changes | None:
    """Returns how the work tree that tracks ``root``/ablation differs from its commit; None where there is none.

    A package that merely lies inside of someone's repository, as in a virtual environment, has no commit.
    """
    if git(root, "ls-files", "--error-unmatch", "ablation/__init__.py") is None:
        return None
    commit, diff = git(root, "rev-parse", "HEAD"), git(root, *_DIFF, "--relative", "HEAD")
    listed = git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if commit is None or diff is None or listed is None:
        return None
    names = sorted(name for name in listed.split(b"\0") if name)
    digest = hashlib.sha256(diff)
    for name in names:
        digest.update(b"\0" + name + b"\0" + _content_hash(root / os.fsdecode(name)))
    untracked = tuple(map(os.fsdecode, names))
    return Changes(commit.decode().strip(), diff, untracked, digest.hexdigest() if diff or names else None)


def diff_name(sha256: str) -> str:
    """Returns where the changes of that hash are kept, relative to a chain's folder."""
    return f"{FOLDER}/{sha256}.diff"


def keep_changes(folder: Path, root: Path, changes: Changes) -> Path | None:
    """Writes ``changes`` of ``root`` into a chain's folder unless they are there, and returns the file.

    None when nothing differs from the commit.
    """
    if changes.sha256 is None:
        return None
    path = folder / diff_name(changes.sha256)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write_bytes(path, patch(root, changes))
    return path


def patch(root: Path, changes: Changes) -> bytes:
    """Returns ``changes`` as one patch; lines before it say what was left out and why."""
    said, parts = ["Uncommitted changes: `git apply` takes this file at the commit that chain.json names."], []
    if len(changes.tracked) <= LARGEST:
        parts.append(changes.tracked)
    else:
        names = (git(root, "diff", "--name-only", "--relative", "-z", "HEAD") or b"").split(b"\0")
        said.append(f"Left out: changes of tracked files, {len(changes.tracked)} bytes where {LARGEST} are kept, in:")
        said += _listed([os.fsdecode(name) for name in names if name])
    left_out, size = [], sum(map(len, parts))
    for name in changes.untracked:
        made = _as_new(root, name) if len(parts) <= MOST_FILES else None
        if made is None or size + len(made) > LARGEST:
            left_out.append(name)
            continue
        parts.append(made)
        size += len(made)
    if left_out:
        said.append(
            f"Left out: untracked files that are no text, above {LARGEST_FILE} bytes, too many, or secret by name:"
        )
        said += _listed(left_out)
    return "".join(f"# {line}\n" for line in said).encode("utf-8", "replace") + b"".join(parts)


def _listed(names: Sequence[str]) -> list[str]:
    shown = [f"  {name if name.isprintable() else ascii(name)}" for name in names[:MOST_FILES]]
    return shown + ([f"  and {len(names) - MOST_FILES} more"] if len(names) > MOST_FILES else [])


def _as_new(root: Path, name: str) -> bytes | None:
    """The patch that makes an untracked file; None for what is not kept."""
    path = root / name
    try:
        kept = path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_FILE
        if not kept or any(fnmatch(path.name.lower(), pattern) for pattern in _SECRETS) or b"\0" in path.read_bytes():
            return None
    except OSError:
        return None
    return git(root, *_DIFF, "--no-index", "--", os.devnull, name, codes=(0, 1))  # 1: they differ


def _content_hash(path: Path) -> bytes:
    """Returns the SHA-256 of a file: untracked ones may be large."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b"unreadable"
