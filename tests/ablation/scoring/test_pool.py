"""The pool: order, reuse, and what happens when workers or the trainer die."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from double_task import DOUBLE, is_worker

import ablation
from ablation.scoring import pool as pool_module
from ablation.scoring import process
from ablation.scoring.pool import ScoringPool, Submission, VerifierError

GOOD, BAD = "    return x + x\n", "    return 0\n"


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if is_worker(child)]


def wait_until(true, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def test_order_is_kept_whatever_finishes_first():
    slow = "    import time\n    time.sleep(0.05)\n    return x + x\n"
    completions = [slow, BAD, GOOD, slow, BAD] * 3
    with ScoringPool(workers=3) as pool:
        verdicts = pool.score([Submission(DOUBLE, f"{c}# {i}\n") for i, c in enumerate(completions)])
    assert [v.solved for v in verdicts] == [c != BAD for c in completions]


def test_equal_submissions_run_once():
    with ScoringPool() as pool:
        first, *others = pool.score([Submission(DOUBLE, GOOD)] * 5)
    assert first.solved
    assert all(other is first for other in others)


def test_a_stream_reads_no_further_ahead_than_its_window():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield Submission(DOUBLE, f"{GOOD}# {taken}\n")

    with ScoringPool() as pool:
        stream = pool.stream(endless())
        for _ in range(5):
            assert next(stream).solved
            assert taken <= 6
        stream.close()


def test_a_stream_answers_before_it_asks_for_more():
    asked = []

    def one_by_one():
        for i in range(3):
            asked.append(i)
            yield Submission(DOUBLE, f"{GOOD}# {i}\n")

    with ScoringPool() as pool:
        assert [(len(asked), v.solved) for v in pool.stream(one_by_one())] == [
            (1, True),
            (2, True),
            (3, True),
        ]


def test_an_abandoned_stream_leaves_the_pool_usable():
    with ScoringPool(workers=2) as pool:
        stream = pool.stream(Submission(DOUBLE, f"{BAD}# {i}\n") for i in range(10))
        next(stream)
        stream.close()
        assert pool.score([Submission(DOUBLE, GOOD)])[0].solved


def test_two_streams_at_once_are_refused():
    with ScoringPool(workers=2) as pool:
        stream = pool.stream(Submission(DOUBLE, f"{BAD}# {i}\n") for i in range(10))
        next(stream)
        with pytest.raises(RuntimeError, match="already scoring"):
            pool.score([Submission(DOUBLE, GOOD)])
        stream.close()


def test_a_worker_killed_while_idle_is_replaced():
    with ScoringPool() as pool:
        assert pool.score([Submission(DOUBLE, GOOD)])[0].solved
        (worker,) = [w for w in workers() if w.pid == pool._workers[0]._process.pid]
        worker.kill()
        assert pool.score([Submission(DOUBLE, GOOD)])[0].solved


SLOW = "    import time\n    time.sleep(0.5)\n    return x + x\n"


@contextlib.contextmanager
def sent_to_workers(pool: ScoringPool, signal_number: int, times: int) -> Iterator[None]:
    """Send a signal to the evaluator that grades a candidate, so many times, once to each evaluator."""
    done, sent = threading.Event(), set[int]()

    def send() -> None:
        while len(sent) < times and not done.wait(0.05):
            for worker in list(pool._running):
                if worker.started and worker._process.pid not in sent:
                    sent.add(worker._process.pid)
                    time.sleep(0.2)  # the slow candidate is at work
                    worker._process.send_signal(signal_number)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
        assert len(sent) == times
    finally:
        done.set()
        thread.join()


def test_a_submission_whose_worker_is_killed_is_retried():
    with ScoringPool() as pool:
        pool.score([Submission(DOUBLE, GOOD)])  # the worker is up
        with sent_to_workers(pool, signal.SIGKILL, times=1):
            verdicts = pool.score([Submission(DOUBLE, f"{SLOW}# {i}") for i in range(3)])
    assert [(v.status, v.solved) for v in verdicts] == [("scored", True)] * 3


def test_a_candidate_that_loses_every_worker_is_to_blame():
    forever = Submission(dataclasses.replace(DOUBLE, timeout_s=20.0), "    return x\n\nwhile True:\n    pass\n")
    with ScoringPool() as pool:
        with sent_to_workers(pool, signal.SIGKILL, times=2):
            bad = pool.score([forever])[0]
        assert pool.score([Submission(DOUBLE, GOOD)])[0].solved
    assert (bad.status, bad.pass_ratio) == ("crashed", 0.0)


def test_a_worker_that_does_not_answer_at_the_deadline_is_replaced_and_the_candidate_timed_out(monkeypatch):
    monkeypatch.setattr(process, "STOP_S", 0.2)
    with ScoringPool() as pool:
        pool.score([Submission(DOUBLE, GOOD)])
        with sent_to_workers(pool, signal.SIGSTOP, times=1):
            verdicts = pool.score([Submission(DOUBLE, f"{SLOW}# {i}") for i in range(3)])
        assert pool.score([Submission(DOUBLE, GOOD)])[0].solved
    assert sorted(verdict.status for verdict in verdicts) == ["scored", "scored", "timeout"]
    assert {verdict.total for verdict in verdicts} == {3}


def test_workers_that_cannot_start_are_infrastructure(monkeypatch):
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    with ScoringPool() as pool:
        verdict = pool.score([Submission(DOUBLE, GOOD)])[0]
    assert (verdict.status, verdict.pass_ratio) == ("infrastructure", None)


def test_closing_leaves_neither_process_nor_folder():
    pool = ScoringPool(workers=2)
    pool.score([Submission(DOUBLE, f"{GOOD}# {i}\n") for i in range(4)])
    pids = [worker._process.pid for worker in pool._workers]
    folders = [Path(worker._scratch.name) for worker in pool._workers]
    assert len(pids) == 2
    pool.close()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert not [folder for folder in folders if folder.exists()]


def test_a_killed_trainer_leaves_neither_worker_nor_candidate(tmp_path):
    trainer = textwrap.dedent("""
        from ablation.scoring.pool import ScoringPool, Submission
        from ablation.tasks.task import Task
        tests = "from solution import f\\ndef test_a():\\n    f(1)\\n"
        task = Task("t", "def f(x):\\n", "f", tests, timeout_s=60.0)
        ScoringPool().score([Submission(task, "    while True:\\n        pass\\n")])
    """)
    environment = os.environ | {"PYTHONPATH": str(Path(ablation.__file__).parent.parent), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", trainer], env=environment)
    family = list[psutil.Process]()
    try:

        def running() -> bool:
            family[:] = psutil.Process(parent.pid).children(recursive=True)
            try:
                return any(p.cpu_times().user > 0.5 and "candidate.server" in " ".join(p.cmdline()) for p in family)
            except psutil.NoSuchProcess:  # one of those that only try which containment holds
                return False

        assert wait_until(running, 20)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert len(family) >= 3  # evaluator, candidate server, candidate
    assert wait_until(lambda: not any(process.is_running() for process in family)), family
    assert wait_until(lambda: not list(tmp_path.glob("ablation-*")))


def test_no_worker_is_started_before_it_is_needed():
    with ScoringPool(workers=4) as pool:
        assert pool._workers == []
        assert pool.score([]) == []
        assert pool._workers == []
    with pytest.raises(ValueError, match="workers is 0"):
        ScoringPool(workers=0)


def test_references_are_scored_again_between_the_submissions_and_do_not_show(monkeypatch):
    monkeypatch.setattr(pool_module, "CHECK_EVERY", 3)
    with ScoringPool() as pool:
        verdicts = pool.score([Submission(DOUBLE, f"{GOOD}# {i}") for i in range(10)])
        assert pool._submitted == 10
    assert [verdict.solved for verdict in verdicts] == [True] * 10


def test_a_reference_that_no_longer_solves_its_task_stops_the_pool(monkeypatch, tmp_path):
    monkeypatch.setattr(pool_module, "CHECK_EVERY", 4)
    counted = tmp_path / "runs"  # the tests, which are trusted, fail from their fifth run on
    tests = (
        "from pathlib import Path\nfrom solution import double\n\n\ndef test_now_and_then():\n"
        f"    runs = Path({str(counted)!r})\n    runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "    assert double(1) == 2 and len(runs.read_text()) < 4\n"
    )
    task = dataclasses.replace(DOUBLE, tests=tests)
    with ScoringPool() as pool, pytest.raises(VerifierError, match="does not any more"):
        pool.score([Submission(task, f"{GOOD}# {i}") for i in range(10)])
