"""The system calls of confinement that Python's library has no function for, on ctypes."""

import ctypes
import os
import signal
import sys
from typing import NamedTuple, NoReturn

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_KILL = int(signal.SIGKILL)

# What a child calls is kept flat and bound here, and PyDLL does not let go of the interpreter's lock: each page that a
# fresh fork touches costs a fault, and those are most of the price.
_LIBC = ctypes.PyDLL(None, use_errno=True) if sys.platform == "linux" else None
if _LIBC:
    _prctl = _LIBC.prctl
    _prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    _LIBC.syscall.restype = ctypes.c_long


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class Filter(NamedTuple):
    """A seccomp filter in memory, made once and loaded in every child."""

    address: int
    memory: _Program


def fork() -> int:
    """``os.fork`` for a process of one thread, without what Python does after it in the child. Raises OSError.

    That is for locks which other threads held, for the numbers of threads, and for chance, which a candidate is given
    its own seed of; it would touch a quarter of the pages that a child comes to have of its own.
    """
    return _check(_LIBC.fork()) if _LIBC else os.fork()


def tidy_heap() -> None:
    """Have the C library join what is free of its heap, so that no fork does it in pages of its own."""
    if _LIBC and hasattr(_LIBC, "malloc_trim"):  # the GNU C library
        _LIBC.malloc_trim(ctypes.c_size_t(0))


def new_filter(program: bytes) -> Filter:
    """The filter of that array of ``struct sock_filter``."""
    memory = _Program(len(program) // 8, program)
    return Filter(ctypes.addressof(memory), memory)


def load(address: int) -> None:
    """Filter the system calls of this thread from here on. Raises OSError."""
    if _prctl(_SET_SECCOMP, _SECCOMP_MODE_FILTER, address, 0, 0):
        _fail()


def die_with(parent: int) -> None:
    """Be killed when ``parent`` ends; end at once when it has ended already. Raises OSError."""
    if _prctl(_SET_PDEATHSIG, _KILL, 0, 0, 0):
        _fail()
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends. Raises OSError."""
    _check(_prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def hide_memory() -> None:
    """Give memory, environment and descriptors in /proc to root alone; inherited by forks. Raises OSError."""
    _check(_prctl(_SET_DUMPABLE, 0, 0, 0, 0))


def forgo_privileges() -> None:
    """Never gain privileges again, and drop what capabilities there are. Raises OSError."""
    _check(_prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    assert _LIBC is not None
    _check(_LIBC.capset(header, (ctypes.c_uint32 * 6)()))


def call(number: int, *arguments: object) -> int:
    """A system call by its number. Raises OSError."""
    assert _LIBC is not None
    return _check(_LIBC.syscall(ctypes.c_long(number), *arguments))


def _check(result: int) -> int:
    if result < 0:
        _fail()
    return result


def _fail() -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
