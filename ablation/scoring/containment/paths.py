"""What a Python needs of the file system: that of candidates without site-packages, that of evaluators with them."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2]  # the folder "ablation"
CODE = (PACKAGE / "__init__.py", PACKAGE / "scoring")  # what the server imports before it is confined

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_DATA = ("/etc/ld.so.cache", "/usr/share/zoneinfo")


def roots() -> tuple[Path, ...]:
    """Folders and files of the system and of Python that exist here, resolved; none holds another."""
    prefixes = {Path(prefix) for prefix in (sys.base_prefix, sys.base_exec_prefix)}
    own = [str(prefix / folder) for prefix in sorted(prefixes) for folder in ("lib", "lib64")]
    search = [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path.startswith("/")]
    found = {Path(path).resolve() for path in (*_LIBRARIES, *_DATA, *own, *search) if Path(path).exists()}
    return tuple(sorted(path for path in found if not found & set(path.parents)))


def hidden(within: Iterable[Path]) -> tuple[Path, ...]:
    """Installed packages, this one among them, inside of ``within``: they may hold tests and references."""
    patterns = [f"python3*/{name}-packages" for name in ("site", "dist")]
    places = {path.resolve() for root in within for pattern in patterns for path in root.glob(pattern)}
    inside = {PACKAGE} if any(root in PACKAGE.parents for root in within) else set()
    found = places | inside
    return tuple(sorted(path for path in found if not found & set(path.parents)))


def visible() -> Iterator[Path]:
    """The roots cut into pieces that hold nothing hidden."""
    for root in roots():
        yield from _around(root, hidden([root]))


def installed() -> tuple[Path, ...]:
    """The roots, what the system shares, and the places that this Python imports from; of this package itself alone."""
    shared = [Path(path) for path in ("/usr/share", "/etc/localtime", "/etc/mime.types", "/etc/passwd", "/etc/group")]
    imported = [Path(entry).resolve() for entry in sys.path if Path(entry).is_absolute()]
    places = [*roots(), *shared, Path(sys.prefix), *(path for path in imported if path not in PACKAGE.parents), PACKAGE]
    return tuple(path for path in places if path.exists())


def _around(path: Path, holes: tuple[Path, ...]) -> Iterator[Path]:
    if path in holes:
        return
    if not any(path in hole.parents for hole in holes):
        yield path
        return
    for entry in sorted(path.iterdir()):
        if not entry.is_symlink():  # what it points to has its own piece, or none
            yield from _around(entry, holes)


def links(executable: Path) -> Iterator[tuple[str, Path]]:
    """The chain of links to ``executable``, as (target, link), for a root that has none of them yet."""
    while executable.is_symlink():
        target = os.readlink(executable)  # noqa: PTH115
        yield target, executable
        executable = executable.parent / target
