"""The resources of one candidate."""

import errno
import signal
from pathlib import Path

import pytest
from confined import Sandbox, started

from ablation.scoring.containment.confine import Server, confine_child
from ablation.scoring.containment.tiers import NONE


def test_memory_ends_at_a_gibibyte(sandbox: Sandbox) -> None:
    assert sandbox.run("x = bytearray(1 << 30)").said == "MemoryError None"
    assert sandbox.run("x = bytearray(1 << 28); say('enough')").said == "enough"


def test_threads_end_with_the_memory_for_their_stacks(sandbox: Sandbox) -> None:
    ended = sandbox.run("""
wait = threading.Event()
for _ in range(10_000): threading.Thread(target=wait.wait, daemon=True).start()""")

    assert ended.said == "RuntimeError None"


def test_cpu_time_ends_with_a_signal(sandbox: Sandbox) -> None:
    assert sandbox.run("\nwhile True: pass", cpu_s=-1).exit_code == -signal.SIGXCPU


def test_who_survives_that_signal_is_killed(sandbox: Sandbox) -> None:
    ended = sandbox.run("signal.signal(signal.SIGXCPU, lambda *_: say('ignored'))\nwhile True: pass", cpu_s=-1)

    assert (ended.exit_code, ended.said) == (-signal.SIGKILL, "ignored")


def test_at_most_64_descriptors(sandbox: Sandbox) -> None:
    assert sandbox.run("while True: os.dup(keep)".join(["\n", "\n"])).said == f"OSError {errno.EMFILE}"


def test_one_file_takes_16_mebibytes(file_sandbox: Sandbox) -> None:
    ended = file_sandbox.run("""
with open('big', 'wb', buffering=0) as file:
    try:
        for _ in range(32): file.write(bytes(1 << 20))
    except OSError as error: say(f'{error.errno} {file.tell()}')""")

    assert ended.said == f"{errno.EFBIG} {16 << 20}"


def test_no_core_is_written(file_sandbox: Sandbox) -> None:
    assert file_sandbox.run("ctypes.string_at(0)").exit_code == -signal.SIGSEGV
    assert not list(file_sandbox.work.glob("core*"))


def test_what_never_ends_is_killed_at_the_deadline(sandbox: Sandbox) -> None:
    ended = sandbox.run("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(600)", seconds=0.2)

    assert ended.exit_code == -signal.SIGKILL


def test_only_the_channel_is_inherited(sandbox: Sandbox) -> None:
    ended = sandbox.run("""
def is_open(fd):
    try: return bool(os.fstat(fd))
    except OSError: return False
say([fd for fd in range(1000) if is_open(fd) and fd != keep])
say([os.fstat(fd).st_rdev for fd in range(3)] == [os.makedev(1, 3)] * 3)""")

    assert ended.said == "[0, 1, 2]True"


def test_limits_hold_without_a_sandbox(tmp_path: Path) -> None:
    with started(NONE, tmp_path) as sandbox:
        assert sandbox.run("x = bytearray(1 << 30)").said == "MemoryError None"
        assert sandbox.run("\nwhile True: pass", cpu_s=-1).exit_code == -signal.SIGXCPU
        assert sandbox.run("\nwhile True: os.dup(keep)").said == f"OSError {errno.EMFILE}"


@pytest.mark.parametrize("keep", [0, 2, 64])
def test_a_channel_that_would_be_closed_is_a_mistake(keep: int) -> None:
    with pytest.raises(ValueError, match="expected one from 3 to 63"):
        confine_child(Server(NONE, 1, 1, None), keep, 1)
