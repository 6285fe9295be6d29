"""Work by forked processes: results in order, errors where they belong, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from analysis.errors import AnalysisError
from analysis.forked import working

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: everything is done in place")


def test_results_come_in_order_from_other_processes() -> None:
    with working(lambda item: (item * item, os.getpid()), range(9)) as results:
        found = list(results)
    assert [square for square, _ in found] == [item * item for item in range(9)]
    assert os.getpid() not in {pid for _, pid in found}


def test_few_items_are_done_here() -> None:
    with working(lambda item: os.getpid(), range(3), least=4) as results:
        assert set(results) == {os.getpid()}


def test_an_error_is_raised_where_its_result_would_be() -> None:
    with working(lambda item: 6 // item, [3, 0, 2]) as results:
        assert next(results) == 2
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_a_killed_process_is_one_sentence() -> None:
    def die(item: int) -> int:
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(AnalysisError, match="was killed"), working(die, range(4)) as results:
        list(results)


def test_leaving_early_leaves_no_process() -> None:
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(KeyError), working(lambda item: time.sleep(60), range(4)):
        raise KeyError
    assert set(psutil.Process().children(recursive=True)) <= before


def ended(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_processes_end_with_one_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import time
from pathlib import Path
from analysis.forked import working
def work(item):
    Path({str(tmp_path)!r}, str(item)).touch()
    time.sleep(0.2)
with working(work, range(1000)) as results:
    list(results)
"""
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(root)})
    assert ended(lambda: len(list(tmp_path.iterdir())) > 2)
    children = psutil.Process(parent.pid).children()
    assert children
    parent.kill()
    parent.wait()
    assert ended(lambda: not any(child.is_running() for child in children))
