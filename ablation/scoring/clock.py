"""A clock that is ahead, for this process and its forks, whichever way its code looks at it.

``datetime`` asks the system and not ``time.time``, and its classes are imported by name everywhere: their methods
are replaced in place. Durations (``monotonic``, ``perf_counter``) are as they were.
"""

import ctypes
import datetime
import gc
import runpy
import sys
import time
from collections.abc import Callable
from typing import Any

_BY_SECONDS = ("gmtime", "localtime", "ctime")  # functions of ``time`` that take now where no seconds are given


def move_ahead(seconds: int) -> None:
    """From now on the time of day is ``seconds`` ahead of what it was."""
    true_time, true_time_ns = time.time, time.time_ns

    def now() -> float:
        return true_time() + seconds

    def moved(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(now(), tz)

    time.time = now
    time.time_ns = lambda: true_time_ns() + seconds * 10**9
    for name in _BY_SECONDS:
        setattr(time, name, _of_now(getattr(time, name), now))
    text_of, ascii_of, local = time.strftime, time.asctime, time.localtime
    time.strftime = lambda form, when=None: text_of(form, local() if when is None else when)
    time.asctime = lambda when=None: ascii_of(local() if when is None else when)
    _replace(datetime.datetime, "now", moved)
    _replace(datetime.datetime, "today", lambda cls: cls.fromtimestamp(now()))
    _replace(datetime.datetime, "utcnow", lambda cls: cls.fromtimestamp(now(), datetime.UTC).replace(tzinfo=None))
    _replace(datetime.date, "today", lambda cls: cls.fromtimestamp(now()))


def _of_now(function: Callable[[float], Any], now: Callable[[], float]) -> Callable[..., Any]:
    return lambda seconds=None: function(now() if seconds is None else seconds)


def _replace(kind: type, name: str, function: Callable[..., Any]) -> None:
    """Replace a class method of a type that cannot be assigned to."""
    function.__name__ = name
    (space,) = gc.get_referents(vars(kind))
    space[name] = classmethod(function)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def main() -> None:
    """``SECONDS MODULE ARGUMENT…``: run the module as a program whose clock is that far ahead."""
    seconds, module, *arguments = sys.argv[1:]
    move_ahead(int(seconds))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
