"""The outer layer: bubblewrap around the candidate server, once, so that candidates pay nothing for it."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ablation.scoring.containment.paths import CODE, hidden, links, roots
from ablation.scoring.containment.tiers import SandboxError, Tier

_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def server_command(tier: Tier, argv: Sequence[str], readable: Sequence[Path], work: Path) -> list[str]:
    """The command line that starts the candidate server ``argv``, whose first item is a path to a Python.

    With bubblewrap it sees, all read-only but ``work``: system libraries, Python without site-packages, this
    project's scoring code, and ``readable``, each at its own path. No /proc, no /tmp, no network. Standard streams and
    the environment are the caller's. ``work`` stays on the caller's disk, so what is written there outlives it.

    Raises:
        SandboxError: bubblewrap is wanted and not installed.
    """
    if not tier.bubblewrap:
        return list(argv)
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError("the program bwrap was not found; install the package bubblewrap")
    options = [*_NAMESPACES, "--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL", *_root(Path(argv[0]))]
    for path in map(os.path.realpath, readable):
        options += ["--ro-bind", path, path]
    options += ["--bind", os.path.realpath(work), os.path.realpath(work)]
    for path in ("/", *map(str, hidden(roots()))):
        options += ["--remount-ro", path]  # last, because places to mount on are made in them
    return [program, *options, "--chdir", os.path.realpath(work), "--", *argv]


def _root(executable: Path) -> Iterator[str]:
    kept = roots()
    for path in map(str, kept):
        yield from ("--ro-bind", path, path)
    for link in ("/lib", "/lib64"):  # the loader's path is written into programs
        if os.path.islink(link):  # noqa: PTH114
            yield from ("--symlink", os.path.realpath(link), link)
    for path in map(str, hidden(kept)):
        yield from ("--tmpfs", path)
    for path in map(str, CODE):
        yield from ("--ro-bind", path, path)
    for device in _DEVICES:
        yield from ("--dev-bind-try", device, device)
    for target, link_path in links(executable):
        yield from ("--symlink", target, str(link_path))
    real = os.path.realpath(executable)
    yield from ("--ro-bind", real, real)
    settings = str(Path(sys.prefix, "pyvenv.cfg"))
    yield from ("--ro-bind-try", settings, settings)
