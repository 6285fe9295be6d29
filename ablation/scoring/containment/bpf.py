"""The policy as a seccomp filter: a classic BPF program over the kernel's ``struct seccomp_data``.

Loading is most of what confining a child costs, and grows with the length of the program and with the steps to an
answer, since the kernel translates the one and tries the other for every number. Hence binary search over ranges, and
returns that are shared. Written here because the candidate server sees no site-packages: what it imports must come
with Python. (Of the libraries, pyseccomp needs libseccomp, and seccompy compiles for the running machine
only and lets numbers of the x32 interface pass to its default.)
Format: Linux, Documentation/userspace-api/seccomp_filter.rst and linux/bpf_common.h.
"""

import errno
import struct
from collections.abc import Mapping

from ablation.scoring.containment.policy import ABSENT, KILLED, OUTWARD, OUTWARD_UNLESS, WHOLE, Among, allowed
from ablation.scoring.containment.syscalls import UNKNOWN_FROM, X86_64, Architecture

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, ABSENT_CALL = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
X32 = 0x40000000  # numbers from here on belong to another interface of x86-64 with the same architecture word

_LOAD, _AND, _RETURN, _JUMP, _EQUAL, _AT_LEAST = 0x20, 0x54, 0x06, 0x05, 0x15, 0x35
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand
Leaf = int | tuple[Among, ...]  # an action, or the conditions under which the call is allowed


def program(architecture: Architecture, files: bool) -> bytes:
    """The filter of a candidate, as an array of ``struct sock_filter``; ``files``: calls on paths are allowed."""
    return _filter(architecture, _actions(architecture, files), REFUSE, ABSENT_CALL)


def evaluator_program(architecture: Architecture) -> bytes:
    """The filter of an evaluator: it starts no program and reaches nobody, and is else as free as any process.

    But for calls newer than the table, which may lead anywhere; C libraries fall back to older ones.
    """
    numbers = architecture.numbers
    table: dict[int, Leaf] = {numbers[name]: REFUSE for name in OUTWARD if name in numbers}
    table.update({numbers[name]: conditions for name, conditions in OUTWARD_UNLESS.items()})
    return _filter(architecture, table, ALLOW, ABSENT_CALL)


def _filter(architecture: Architecture, table: Mapping[int, Leaf], otherwise: int, unknown: int) -> bytes:
    """``otherwise`` is the answer to calls that the table lacks, ``unknown`` to those newer than all tables."""
    code = _Code()
    code.search(*_ranges(architecture, table, otherwise, unknown))
    search = code.append(_LOAD, _NUMBER)
    kill = code.place(KILL)
    code.append(_EQUAL, architecture.audit, search, kill)
    code.append(_LOAD, _ARCHITECTURE)
    return code.packed()


def _ranges(
    architecture: Architecture, table: Mapping[int, Leaf], otherwise: int, unknown: int
) -> tuple[list[int], list[Leaf]]:
    """First numbers of the ranges that are treated alike, ascending from 0, and what becomes of each."""
    starts: list[int] = []
    leaves: list[Leaf] = []
    for number in range(UNKNOWN_FROM + 1):
        leaf = table.get(number, otherwise if number < UNKNOWN_FROM else unknown)
        if not leaves or leaf != leaves[-1]:
            starts.append(number)
            leaves.append(leaf)
    if architecture is X86_64:
        starts.append(X32)
        leaves.append(KILL)
    return starts, leaves


def _actions(architecture: Architecture, files: bool) -> Mapping[int, Leaf]:
    numbers = architecture.numbers
    table: dict[int, Leaf] = {numbers[name]: KILL for name in KILLED if name in numbers}
    table.update({numbers[name]: ABSENT_CALL for name in ABSENT if name in numbers})
    for name, conditions in allowed(files).items():
        if name in numbers:
            table[numbers[name]] = conditions or ALLOW
    return table


class _Code:
    """A program written from its end to its start, because its jumps only go forward; targets are indices into it."""

    def __init__(self) -> None:
        self._backwards: list[Instruction] = []
        self._returns: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._backwards)

    def packed(self) -> bytes:
        return b"".join(struct.pack("<HBBI", *instruction) for instruction in reversed(self._backwards))

    def append(self, code: int, operand: int, true: int | None = None, false: int | None = None) -> int:
        """Put an instruction before the others; its index."""
        jumps = [0 if target is None else len(self) - 1 - target for target in (true, false)]
        self._backwards.append((code, jumps[0], jumps[1], operand))
        return len(self) - 1

    def place(self, leaf: Leaf) -> int:
        """The index of code that answers with ``leaf``."""
        if not isinstance(leaf, int):
            return self._conditions(leaf)
        if leaf not in self._returns or not self._near(self._returns[leaf]):
            self._returns[leaf] = self.append(_RETURN, leaf)
        return self._returns[leaf]

    def search(self, starts: list[int], leaves: list[Leaf]) -> int:
        """The index of code that answers with the last of ``leaves`` whose start is not above the number."""
        if len(leaves) == 1:
            return self.place(leaves[0])
        middle = len(leaves) // 2
        above = self.search(starts[middle:], leaves[middle:])
        below = self.search(starts[:middle], leaves[:middle])
        above, below = self._within_reach(above), self._within_reach(below)
        return self.append(_AT_LEAST, starts[middle], above, below)

    def _conditions(self, conditions: tuple[Among, ...]) -> int:
        met, refuse = self.place(ALLOW), self.place(REFUSE)
        for condition in reversed(conditions):
            otherwise = refuse
            for value in condition.values:
                otherwise = self.append(_EQUAL, value, met, otherwise)
            if condition.mask != WHOLE:
                self.append(_AND, condition.mask)
            met = self.append(_LOAD, _ARGUMENTS + 4 * condition.word)
        return met

    def _near(self, target: int) -> bool:
        return len(self) - target < 200  # a conditional jump reaches 255; the rest is for what is put between

    def _within_reach(self, target: int) -> int:
        return target if self._near(target) else self.append(_JUMP, len(self) - 1 - target)
