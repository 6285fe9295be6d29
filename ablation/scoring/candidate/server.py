"""The fork server of candidates: ``python -m ablation.scoring.candidate.server``, started by an evaluator.

It holds nothing that a candidate may not see: no tests, no references, no secrets, an empty environment.
For each candidate it forks a child around a socket that the evaluator sends; the child confines itself and
runs the candidate. The server's own socket is its stdin; when that closes, it ends with all its children.

===============  ========================  ============
request          descriptor sent along     answer
===============  ========================  ============
``fork``         the child's socket        its pid
``end <pid>``                              exit code
===============  ========================  ============
"""

import functools
import gc
import importlib
import json
import os
import socket
import sys
from pathlib import Path

from ablation.scoring.candidate import child
from ablation.scoring.candidate.rehearsal import rehearse
from ablation.scoring.containment import kernel
from ablation.scoring.containment.confine import confine_child, confine_server, end_child
from ablation.scoring.containment.tiers import named

# Imported once here, so that a fork finds them instead of importing them for milliseconds.
COMMON = (
    *("abc", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions"),
    *("functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics"),
    *("string", "_strptime", "textwrap", "time", "typing", "zoneinfo"),
)

CPU_S = 3600.0  # of one candidate, should its evaluator not end it


def main() -> None:
    """Serve the socket on stdin. The argument is JSON: tier, readable, work, packages."""
    settings = json.loads(sys.argv[1])
    control = _take_over_stdio()
    os.environ.pop("LD_BIND_NOW", None)  # was for the loader
    for name in (*COMMON, *settings["packages"]):
        importlib.import_module(name)
    rehearse()
    work = Path(settings["work"])
    os.chdir(work)
    server = confine_server(named(settings["tier"]), [Path(path) for path in settings["readable"]], work)
    child.forget_this_package()
    peer = child.ready()
    gc.collect()
    kernel.tidy_heap()
    gc.freeze()  # or the collector of each fork would touch, and so copy, every page
    control.send(b"0")  # ready
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if not request:
            return
        if request != b"fork":
            control.send(str(end_child(server, int(request.removeprefix(b"end ")))).encode())
            continue
        (line,) = descriptors
        pid = kernel.fork()
        if pid == 0:
            try:
                child.serve(peer, line, functools.partial(confine_child, server, line, CPU_S))
            finally:
                os._exit(1)
        os.close(line)
        control.send(str(pid).encode())


def _take_over_stdio() -> socket.socket:
    """Move the socket away from 0, and let 0 and 1 be /dev/null. 2 is for the evaluator to read, should this fail."""
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.close(null)
    return control


if __name__ == "__main__":
    main()
