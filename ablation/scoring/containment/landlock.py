"""Landlock: this process and its forks may touch the given paths and nothing else.

Rights and structures: Linux, include/uapi/linux/landlock.h, versions (ABI) 1 to 7; a newer kernel is used as version 7.
Not covered by any of these: looking at names, sizes and modes, changing them (seccomp refuses it), O_PATH, chdir.
Written here because the candidate server sees no site-packages.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from ablation.scoring.containment.kernel import call

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on all architectures
_VERSION_FLAG, _PATH_BENEATH = 1, 1

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
REFER, TRUNCATE = 1 << 13, 1 << 14

READ = READ_FILE | READ_DIR  # no EXECUTE: nothing here starts a program, and libraries load without it
WRITE = WRITE_FILE | TRUNCATE
WORK = READ | WRITE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
_OF_A_FILE = READ_FILE | WRITE_FILE | TRUNCATE

DEVICES = {"/dev/null": READ | WRITE, "/dev/zero": READ, "/dev/urandom": READ, "/dev/random": READ}


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock version. Raises OSError when it has none or it is switched off."""
    return call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))


def handled(abi: int) -> tuple[int, int, int]:
    """All rights that version ``abi`` can withhold: on files, on TCP, and towards processes outside."""
    files = (1 << 13) - 1
    files |= REFER if abi >= 2 else 0
    files |= TRUNCATE if abi >= 3 else 0
    files |= 1 << 15 if abi >= 5 else 0  # ioctl on devices
    network = 0b11 if abi >= 4 else 0  # bind, connect
    scoped = 0b11 if abi >= 6 else 0  # abstract sockets, signals
    return files, network, scoped


def restrict(readable: Iterable[Path], work: Path, abi: int | None = None, rights: int = WORK) -> None:
    """Reading beneath ``readable``, ``rights`` beneath ``work``, a few harmless devices; for ever.

    ``abi`` is for trying older versions. Raises OSError, also when a path is missing.
    """
    files, network, scoped = handled(min(abi or version(), 7))
    ruleset = _Ruleset(files, network, scoped)
    descriptor = call(_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), ctypes.c_uint32(0))
    try:
        for path in readable:
            _allow(descriptor, path, READ & files)
        for device, allowed in DEVICES.items():
            if os.path.exists(device):  # noqa: PTH110
                _allow(descriptor, Path(device), allowed & files)
        _allow(descriptor, work, rights & files)
        call(_RESTRICT, descriptor, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = rights if path.is_dir() else rights & _OF_A_FILE
        call(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(_Beneath(rights, parent)), ctypes.c_uint32(0))
    finally:
        os.close(parent)
