"""A session with a candidate of our own, held in the fork server before it forks.

A fork shares memory with the server until one of them writes to it. What Python writes when it runs a function for the
first times (inline caches, the cache of attributes, versions of dicts, symbols that the loader binds) is written here
once, rather than by each child into pages of its own, which are most of what a child costs.
"""

import os
import socket
import sys
from typing import Any, NamedTuple

from ablation.scoring.candidate.child import LoadingPeer
from ablation.scoring.exchange import Exchange
from ablation.scoring.frames import read_body, write_body

TIMES = 24  # after some 16 calls CPython 3.11 has specialized what it will
_MODULE = "rehearsal"
_PROMPT = 'def double(x):\n    """Twice x."""\n'
_COMPLETION = """    if isinstance(x, (list, tuple)):
        return [item + item for item in x]
    if x is None:
        raise ValueError("nothing to double")
    return x + x

class Counter:
    def __init__(self, start=0):
        self.count = start

    def add(self, by=1):
        for _ in range(by):
            self.count += 1
        return {"count": self.count}
"""


class _Number(NamedTuple):
    """An object of the candidate."""

    number: int


class _Asker(Exchange):
    """The other side of the line, which takes everything for what it says it is."""

    def _encode_other(self, value: Any) -> list[Any]:
        return ["yours", value.number]

    def _decode_other(self, tag: str, content: list[Any]) -> Any:
        return _Number(content[0])


def rehearse() -> None:
    """Hold the session some times; nothing of it is left but what Python learned."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(TIMES):
            _session(ours.fileno(), LoadingPeer(theirs.fileno()))
            del sys.modules[_MODULE]


def _session(line: int, peer: LoadingPeer) -> None:
    asker = _Asker(0)

    def ask(verb: str, *values: Any) -> Any:
        write_body(line, asker.encode(verb, list(values)))
        peer.serve_one()
        return asker.decode(read_body(line) or b"")[1][0]

    _, _, names = ask("load", _MODULE, _PROMPT, "double", _COMPLETION, ["double", "Counter"], 0)
    for argument in (2, 2.5, "two", [1, "two"], (1, 2), None, {"a": [1]}):
        ask("call", names["double"], None, (argument,), {})
    counter = ask("call", names["Counter"], None, (), {"start": 1})
    ask("call", counter, "add", (2,), {})
    ask("get", counter, "count")
    ask("surround", (), None, dict(os.environ), None)
