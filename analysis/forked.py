"""Work on many things beside each other, by forked processes where a system has them and more than one core.

Not by ``concurrent.futures``: its pool starts threads, and hangs where a limit on memory or threads does not let it.
"""

import io
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
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
        AnalysisError: a process was killed. What ``function`` raises is raised where its result would be.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    processes = min(_MOST, len(items), cores)
    if processes < 2 or len(items) < least:
        yield map(function, items)
        return
    workers: list[_Worker] = []
    try:
        for first in range(processes):
            workers.append(_Worker(function, items[first::processes]))
        yield (result() for result in _results(workers, len(items)))
    finally:
        for worker in workers:
            worker.end()


def _results(workers: Sequence["_Worker"], count: int) -> Iterator[Callable[[], Any]]:
    for place in range(count):
        yield workers[place % len(workers)].next


class _Worker:
    """A forked process that makes the results of its items, and leaves them in a file in memory when it has all."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any]) -> None:
        self._file = os.memfd_create("results")
        self._results: Iterator[Any] | None = None
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._work(function, items, parent)

    def next(self) -> Any:
        if self._results is None:
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
            if status != 0:
                raise AnalysisError(
                    "A process of this command was killed, as happens where memory runs out: give it more memory, or "
                    "fewer chains."
                )
            os.lseek(self._file, 0, os.SEEK_SET)
            with open(self._file, "rb", closefd=False) as file:
                self._results = iter(pickle.load(file))
        done, result = next(self._results)
        if not done:
            raise result
        return result

    def end(self) -> None:
        """Ends the process, if it has not ended, and lets its results go."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
        os.close(self._file)

    def _work(self, function: Callable[[Any], Any], items: Sequence[Any], parent: int) -> None:
        """Never returns: nothing of the parent's may be done twice."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes
        code = 1
        try:
            results: list[tuple[bool, Any]] = []
            for item in items:
                if os.getppid() != parent:  # which was killed
                    return
                try:
                    results.append((True, function(item)))
                except Exception as error:
                    results.append((False, error))
            buffer = io.BytesIO()
            pickle.dump(results, buffer, protocol=pickle.HIGHEST_PROTOCOL)
            _write(self._file, buffer.getbuffer())
            code = 0
        finally:
            os._exit(code)


def _write(file: int, content: memoryview) -> None:
    while len(content):
        content = content[os.write(file, content) :]
