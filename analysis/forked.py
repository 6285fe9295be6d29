"""Work on many things beside each other, by forked processes where a system has them and more than one core."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from analysis.errors import AnalysisError

Item = TypeVar("Item")
Result = TypeVar("Result")
_MOST = 8  # processes


@contextmanager
def working(function: Callable[[Item], Result], items: Sequence[Item], least: int = 2) -> Iterator[Iterator[Result]]:
    """Results in the order of ``items``, made while the caller does other work; here and when asked for, below
    ``least`` items or without a second core.

    Raises:
        AnalysisError: a process was killed.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    processes = min(_MOST, len(items), cores)
    if processes < 2 or len(items) < least:
        yield map(function, items)
        return
    fork = multiprocessing.get_context("fork")  # so function and items, which may be large, are not copied
    with ProcessPoolExecutor(processes, fork, _begin, (function, items)) as pool:
        try:
            yield pool.map(_work, range(len(items)), chunksize=max(1, len(items) // (4 * processes)))
        except BrokenProcessPool as error:
            raise AnalysisError(
                "A process of this command was killed, as happens where memory runs out: give it more memory, or "
                "fewer chains."
            ) from error


_task: dict[str, Any] = {}  # filled in forked processes alone


def _begin(function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its pool
    _task.update(function=function, items=items)


def _work(place: int) -> Any:
    return _task["function"](_task["items"][place])
