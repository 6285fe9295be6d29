"""The lease of a chain, held by real processes that are killed, frozen, and pretended to be elsewhere."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablation.chain_files import LEASE
from ablation.config import ConfigError
from ablation.training import lease
from tests.conftest import ROOT

FAST = "import ablation.training.lease as lease; lease.LEASE_S, lease.BEAT_S, lease._POLL_S = 2.0, 0.2, 0.05\n"
HOLD = FAST + (
    "import sys; from pathlib import Path\n"
    "with lease.held(Path(sys.argv[1]), print) as claim:\n"
    "    print(claim.token, flush=True)\n"
    "    input()\n"
    "    print(claim.compromise, flush=True)\n"
)
ELSEWHERE = "import socket; socket.gethostname = lambda: 'node7'\n"  # must come before filelock looks


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LEASE_S", 2.0), ("BEAT_S", 0.2), ("_POLL_S", 0.05), ("_LOOK_AGAIN_S", 0.2)):
        monkeypatch.setattr(lease, name, value)


@contextmanager
def holding(folder: Path, before: str = "") -> Iterator[tuple[subprocess.Popen, str]]:
    """Another process that holds the lease, and its token."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + HOLD, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def take(folder: Path) -> float:
    """Returns the seconds after which the lease was had; it is given back."""
    started = time.monotonic()
    with lease.held(folder, lambda text: None):
        return time.monotonic() - started


def test_a_free_lease_is_had_and_leaves_nothing_behind(tmp_path):
    with lease.held(tmp_path, print) as claim:
        lease.check(tmp_path, claim.token or "")
        assert [path.name for path in tmp_path.iterdir()] == [LEASE]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", ["", ELSEWHERE], ids=["here", "elsewhere"])
def test_a_second_process_is_refused_once_it_has_seen_the_heart_beat(tmp_path, before):
    said: list[str] = []
    with holding(tmp_path, before) as (process, token):
        refusal = f"is being trained by another process .process {process.pid} on "
        with pytest.raises(ConfigError, match=refusal), lease.held(tmp_path, said.append):
            pass
        assert f"process {process.pid} on {'node7' if before else socket.gethostname()}" in said[0]
        lease.check(tmp_path, token)


@pytest.mark.parametrize("exchange", [True, False], ids=["local disk", "no exchange of names"])
def test_the_lease_of_a_killed_process_of_this_machine_is_had_at_once(tmp_path, monkeypatch, exchange):
    if not exchange:  # as NFS and Lustre answer
        monkeypatch.setattr("filelock._soft.exchange_names", lambda *_: False)
    with holding(tmp_path) as (process, _):
        process.kill()
        process.wait()
        assert take(tmp_path) < lease.LEASE_S
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exchange", [True, False], ids=["local disk", "no exchange of names"])
def test_the_lease_of_a_dead_machine_is_had_when_it_was_silent_for_long_enough(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr("filelock._soft.exchange_names", lambda *_: False)
    with holding(tmp_path, ELSEWHERE) as (process, _):
        process.kill()
        process.wait()
        assert take(tmp_path) >= lease.LEASE_S
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("jump_s", [-86400, 86400])
def test_clocks_that_jump_neither_expire_a_lease_nor_keep_it_alive(tmp_path, jump_s):
    with holding(tmp_path, ELSEWHERE) as (process, _):
        process.send_signal(signal.SIGSTOP)  # no beat comes in between
        os.utime(tmp_path / LEASE, (time.time() + jump_s,) * 2)
        process.send_signal(signal.SIGCONT)
        with pytest.raises(ConfigError, match="is being trained by another process"):
            take(tmp_path)
        process.kill()
        process.wait()
        os.utime(tmp_path / LEASE, (time.time() + jump_s,) * 2)
        assert take(tmp_path) >= lease.LEASE_S


def test_a_holder_that_slept_too_long_learns_that_the_chain_is_another_ones(tmp_path):
    with holding(tmp_path, ELSEWHERE) as (process, token):
        process.send_signal(signal.SIGSTOP)
        with lease.held(tmp_path, print) as claim:
            with pytest.raises(lease.LeaseLostError, match=f"taken over by process {os.getpid()}"):
                lease.check(tmp_path, token)
            process.send_signal(signal.SIGCONT)
            time.sleep(5 * lease.BEAT_S)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert "owner-changed" in process.stdout.readline()
            process.wait()
            lease.check(tmp_path, claim.token or "")  # what the sleeper gave back was not its own any more


def test_a_lease_that_came_in_between_is_put_back(tmp_path):
    with holding(tmp_path, ELSEWHERE) as (process, _):
        process.kill()
        process.wait()
        judged = lease._Watch(lease.SoftFileLease(tmp_path / LEASE, lease_duration=2.0))
        time.sleep(lease.LEASE_S)
        beat = judged._beat
    (tmp_path / LEASE).unlink()
    with holding(tmp_path, ELSEWHERE) as (_, token):
        judged._beat = beat
        judged.sees_life = lambda: False  # type: ignore[method-assign]  # the new one came after the last look
        judged.take_aside()
        lease.check(tmp_path, token)
    assert [path.name for path in tmp_path.iterdir()] == [LEASE]
