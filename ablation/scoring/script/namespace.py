"""The namespace of one script: an own root with the system's programs, no network, three folders to write in."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ablation.scoring.containment.paths import PACKAGE

TIER = "bubblewrap:script"  # what results record
PROBE_S = 30.0  # for the probe, on a busy machine or a slow file system
INSIDE = "/run/scoring"  # the code that places the candidate
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "passwd", "group")
_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net")
# Plugins of pytest that come with what this project needs: no task means them, and each start would pay seconds.
_FOREIGN_PLUGINS = ("hydra_pytest", "hypothesispytest", "platformdirs", "anyio")
WAY_OUT = (
    "Its script needs /tests, /logs and a work folder at fixed places, which takes the package bubblewrap and user "
    "namespaces (sysctl user.max_user_namespaces; in a container a seccomp profile that allows them)"
)


class NamespaceError(RuntimeError):
    """No namespace for a script could be made; the message says why."""


def command(bound: Mapping[str, Path], readable: Mapping[str, Path], folder: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs ``argv`` in ``folder``, an absolute path inside.

    Args:
        bound: {path inside: folder here} to write in, outer before inner.
        readable: {path inside: file or folder here}, besides the system's programs and this Python with its packages.

    Raises:
        NamespaceError: bubblewrap is not installed.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise NamespaceError("the program bwrap was not found")
    options = [*_NAMESPACES, "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for path in _SYSTEM:
        options += _system(path)
    for name in _SETTINGS:
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    options += ["--proc", "/proc", "--dev", "/dev"]  # its /dev is memory, which nothing would bound
    for inside, here in bound.items():
        options += ["--bind", str(here), inside]
    for prefix in _prefixes():  # after /tmp, which may hold them
        options += ["--ro-bind", prefix, prefix]
    for path in _own_code():
        options += ["--tmpfs", path]
    for inside, here in readable.items():
        options += ["--ro-bind", str(here), inside]
    return [program, *options, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", folder, "--", *argv]


def environment(folder: str) -> dict[str, str]:
    """The variables of a script. Package managers are told that there is no network, so that they fail at once."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"]),
        "PYTHONPATH": folder,  # where images for such tasks have it
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in _FOREIGN_PLUGINS),
        "PIP_NO_INDEX": "1",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_OFFLINE": "1",
    }


@functools.cache
def fault() -> str | None:
    """Why no script can be run here; None when one was. Tried once in each process."""
    with tempfile.TemporaryDirectory(prefix="ablation-script-") as scratch:
        try:
            argv = command({"/app": Path(scratch)}, {}, "/app", ["/bin/bash", "-c", "python -c 'import pytest'"])
            ended = subprocess.run(
                argv, env=environment("/app"), stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S
            )
        except NamespaceError as error:
            return f"{error}. {WAY_OUT}"
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"its probe failed ({error}). {WAY_OUT}"
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        return f"its probe failed ({said[-1] if said else f'exit code {ended.returncode}'}). {WAY_OUT}"
    return None


def _system(path: str) -> list[str]:
    if os.path.islink(path):  # noqa: PTH114
        return ["--symlink", os.readlink(path), path]  # noqa: PTH115
    return ["--ro-bind-try", path, path]


def _prefixes() -> Iterator[str]:
    """Python's own folders, where they are not the system's; outer before inner."""
    found = {os.path.realpath(prefix) for prefix in (sys.base_prefix, sys.base_exec_prefix)}
    found |= {sys.prefix, sys.exec_prefix}  # as written: a program of a virtual environment names its Python so
    yield from sorted(path for path in found if Path("/usr") not in (Path(path), *Path(path).parents))


def _own_code() -> Iterator[str]:
    """This package, where it is installed among what is visible: its task sets hold references."""
    visible = [Path("/usr"), *map(Path, _prefixes())]
    for folder in (PACKAGE, PACKAGE.parent / "analysis"):
        if folder.is_dir() and any(root in folder.parents for root in visible):
            yield str(folder)
