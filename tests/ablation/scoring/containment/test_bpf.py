"""The filter, run by an interpreter of classic BPF that knows nothing of how it was made."""

import errno
import re
import struct
from pathlib import Path

import pytest

from ablation.scoring.containment.bpf import ALLOW, KILL, evaluator_program, program
from ablation.scoring.containment.policy import (
    ABSENT,
    ALWAYS,
    CONDITIONS,
    FILES,
    KILLED,
    OUTWARD,
    OUTWARD_UNLESS,
    WITH_FILES,
    WITHOUT_FILES,
)
from ablation.scoring.containment.syscalls import AARCH64, UNKNOWN_FROM, X86_64, Architecture

REFUSED, MISSING = 0x00050000 + errno.EPERM, 0x00050000 + errno.ENOSYS
ARCHITECTURES = pytest.mark.parametrize("architecture", [X86_64, AARCH64], ids=lambda one: one.name)


def answer(code: bytes, number: int, arguments: tuple[int, ...] = (), audit: int = X86_64.audit) -> int:
    """What the program returns for a call: a straight reading of Linux's linux/filter.h and linux/bpf_common.h."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<iIQ6Q", number - (1 << 32) if number >> 31 else number, audit, 0, *padded)
    instructions = list(struct.iter_unpack("<HBBI", code))
    accumulator = at = 0
    while True:
        operation, true, false, operand = instructions[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x05:
            at += operand
        elif operation == 0x15:
            at += true if accumulator == operand else false
        elif operation == 0x35:
            at += true if accumulator >= operand else false
        elif operation == 0x06:
            return operand
        else:
            raise AssertionError(f"unknown operation {operation:#x}")


@ARCHITECTURES
@pytest.mark.parametrize("files", [False, True])
def test_every_number_is_answered_by_its_name(architecture: Architecture, files: bool) -> None:
    code = program(architecture, files)
    names = {number: name for name, number in architecture.numbers.items()}
    conditional = {*CONDITIONS, *WITH_FILES, *WITHOUT_FILES}
    for number in range(600):
        name = names.get(number, "")
        if name in conditional:
            continue
        expected = (
            ALLOW
            if name in ALWAYS or (files and name in FILES)
            else KILL
            if name in KILLED
            else MISSING
            if name in ABSENT or number >= UNKNOWN_FROM
            else REFUSED
        )
        assert answer(code, number, audit=architecture.audit) == expected, (number, name)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("clone", (0x3D0F00,), ALLOW),  # what pthread_create asks for
        ("clone", (0x1200011,), REFUSED),  # what fork asks for
        ("clone", (0x3D0F00 | 0x10000000,), REFUSED),
        ("clone", (0x3D0F00 | 0x2000,), REFUSED),
        ("prlimit64", (0, 7, 0), ALLOW),
        ("prlimit64", (0, 7, 1), REFUSED),
        ("prlimit64", (0, 7, 1 << 32), REFUSED),
        ("prlimit64", (1, 7, 0), REFUSED),
        ("ioctl", (3, 0x541B), ALLOW),
        ("ioctl", (3, 0x5412), REFUSED),
        ("fcntl", (3, 1030), ALLOW),
        ("fcntl", (3, 8), REFUSED),
        ("fcntl", (3, 10), REFUSED),
        ("prctl", (15,), ALLOW),
        ("prctl", (1,), REFUSED),
        ("socketpair", (1, 0o2004001), ALLOW),
        ("socketpair", (1, 2), REFUSED),
        ("socketpair", (2, 1), REFUSED),
        ("sendto", (3, 1, 1, 0, 0, 0), ALLOW),
        ("sendto", (3, 1, 1, 0, 1 << 40, 16), REFUSED),
        ("openat", (0, 0, 0o2000000), ALLOW),
        ("openat", (0, 0, 0o1101), ALLOW),
        ("openat", (0, 0, 0o1000), REFUSED),
        ("open", (0, 0o1000), REFUSED),
    ],
)
def test_arguments_decide(name: str, arguments: tuple[int, ...], expected: int) -> None:
    assert answer(program(X86_64, True), X86_64.numbers[name], arguments) == expected


def test_without_files_nothing_is_opened_and_only_descriptors_are_looked_at() -> None:
    code = program(X86_64, False)

    assert answer(code, X86_64.numbers["openat"], (0, 0, 0)) == REFUSED
    assert answer(code, X86_64.numbers["newfstatat"], (3, 0, 0, 0x1000)) == ALLOW
    assert answer(code, X86_64.numbers["newfstatat"], (3, 0, 0, 0)) == REFUSED


@ARCHITECTURES
def test_no_folder_is_closed_to_its_owner(architecture: Architecture) -> None:
    code = program(architecture, True)

    def answered(name: str, *arguments: int) -> int:
        return answer(code, architecture.numbers[name], arguments, audit=architecture.audit)

    assert [answered("mkdirat", 3, 0, mode) for mode in (0o777, 0o700, 0o300, 0)] == [ALLOW, ALLOW, REFUSED, REFUSED]
    assert [answered("umask", mask) for mask in (0o022, 0o077, 0o200, 0o777)] == [ALLOW, ALLOW, REFUSED, REFUSED]


@ARCHITECTURES
def test_an_evaluator_is_refused_what_leads_outward_and_nothing_else(architecture: Architecture) -> None:
    code = evaluator_program(architecture)
    names = {number: name for name, number in architecture.numbers.items()}
    for number in range(600):
        name = names.get(number)
        if name in OUTWARD_UNLESS:
            continue
        expected = REFUSED if name in OUTWARD else ALLOW if number < UNKNOWN_FROM else MISSING
        assert answer(code, number, audit=architecture.audit) == expected, (number, name)
    assert OUTWARD - {"iopl", "ioperm", "chown", "lchown"} <= set(architecture.numbers)


@ARCHITECTURES
def test_an_evaluator_sets_its_own_limits_and_makes_pairs_that_send_to_each_other_alone(architecture):
    code = evaluator_program(architecture)

    def answered(name: str, *arguments: int) -> int:
        return answer(code, architecture.numbers[name], arguments, audit=architecture.audit)

    assert [answered("prlimit64", pid, 3, 1, 0) for pid in (0, 1, 4711)] == [ALLOW, REFUSED, REFUSED]
    stream, datagram, raw, sequenced, at_once = 1, 2, 3, 5, 0o2004001
    kinds = (stream, sequenced, at_once, datagram, raw, datagram | 0o2000000)
    assert [answered("socketpair", 1, kind, 0) for kind in kinds] == [ALLOW] * 3 + [REFUSED] * 3


@ARCHITECTURES
def test_another_architecture_ends_the_process(architecture: Architecture) -> None:
    assert answer(program(architecture, True), architecture.numbers["read"], audit=0x40000003) == KILL


@pytest.mark.parametrize("number", [0x40000000, 0x40000027, 0xFFFFFFFF])
def test_the_x32_interface_ends_the_process(number: int) -> None:
    assert answer(program(X86_64, True), number) == KILL


@ARCHITECTURES
@pytest.mark.parametrize("files", [False, True])
def test_the_program_keeps_to_what_the_kernel_takes(architecture: Architecture, files: bool) -> None:
    code = program(architecture, files)

    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096
    for at, (operation, true, false, operand) in enumerate(struct.iter_unpack("<HBBI", code)):
        reach = operand if operation == 0x05 else max(true, false)
        assert at + 1 + reach < len(code) // 8 or operation == 0x06


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@ARCHITECTURES
def test_the_numbers_are_those_of_the_kernels_headers(architecture: Architecture) -> None:
    header = HEADERS[architecture.name]
    if not header.exists():
        pytest.skip(f"{header} is not installed (Debian: linux-libc-dev)")
    pairs = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", header.read_text())
    numbers = {name: int(number) for name, number in pairs}
    renamed = {"newfstatat": "fstatat"} if architecture is AARCH64 else {}

    wrong = {
        name: number
        for name, number in architecture.numbers.items()
        if numbers.get(renamed.get(name, name), numbers.get(name)) != number
    }
    assert wrong == {}
