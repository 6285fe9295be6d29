"""Where a set lies: ``tasks.path`` as files or folders on this machine."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ablation.config import ConfigError
from ablation.tasks import hub


class Place(NamedTuple):
    """A file or folder, what messages call it, and the folder that links in it may not leave."""

    name: str
    path: Path
    within: Path


def find_files(path: str | None, suffixes: Sequence[str]) -> list[Place]:
    """The files at ``path`` in order of their names: a file, all with one of ``suffixes`` in a folder, those that a
    glob matches, or those of a place on the Hub. Raises ConfigError when there is none.
    """
    expected = f"a {' or '.join(suffixes)} file, a folder of them, a glob or {hub.FORM}"
    if path is not None and hub.is_on_hub(path):
        fetched = hub.fetch(path, [f"*{suffix}" for suffix in suffixes])
        found = [Place(f"{fetched.label}/{name}", fetched.folder / name, fetched.within) for name in fetched.names]
    else:
        files: list[Path] = []
        for root in _roots(path, expected):
            inside = root.rglob("*") if root.is_dir() else [root]
            files += [file for file in inside if file == root or file.name.endswith(tuple(suffixes))]
        found = [Place(str(file), file, file.parent) for file in sorted(set(files)) if file.is_file()]
    if not found:
        raise ConfigError(f"tasks.path={path} holds no file that can be read; expected {expected}.")
    return found


def find_folders(path: str | None, markers: Sequence[str]) -> list[Place]:
    """The folders at ``path`` in order of their names: those with a file of ``markers``, else the visible ones in it.

    ``path`` is a folder, a glob or a place on the Hub. Raises ConfigError when it cannot be read.
    """
    expected = f"a folder of task folders, a glob or {hub.FORM}"
    if path is not None and hub.is_on_hub(path):
        fetched = hub.fetch(path, ["*"])
        ends = tuple(f"/{marker}" for marker in markers)
        names = {f"/{name}".removesuffix(end) for name in fetched.names for end in ends if f"/{name}".endswith(end)}
        at = fetched.folder
        return [Place(name.strip("/") or fetched.label, Path(f"{at}{name}"), fetched.within) for name in sorted(names)]
    folders: list[Path] = []
    roots = _roots(path, expected)
    for root in roots:
        try:
            folders += [root] if any((root / marker).is_file() for marker in markers) else _visible(root)
        except OSError as error:
            raise ConfigError(f"tasks.path={path} cannot be read ({error.strerror}); expected {expected}.") from error
    return [Place(folder.name if len(roots) == 1 else str(folder), folder, folder) for folder in folders]


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _roots(path: str | None, expected: str) -> list[Path]:
    if path is None:
        raise ConfigError(f"tasks.path is null, expected {expected}; type tasks.path=….")
    whole = Path(path).expanduser()
    if whole.exists() or not glob.has_magic(path):
        if not whole.exists():
            raise ConfigError(f"tasks.path={path} cannot be read (No such file or directory); expected {expected}.")
        return [whole]
    found = sorted(Path(match) for match in glob.iglob(str(whole), recursive=True))  # noqa: PTH207
    if not found:
        raise ConfigError(f"tasks.path={path} matches nothing; expected {expected}.")
    return found
