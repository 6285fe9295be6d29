"""Frames and messages from a hostile writer: whatever bytes come, nothing but the errors that say so."""

import contextlib
import json
import os
import random
import socket
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from value_graphs import graphs

from ablation.scoring import frames
from ablation.scoring.data import MAKERS
from ablation.scoring.evaluator.peer import EvaluatorPeer, Judgements, SessionOverError
from ablation.scoring.exchange import CONTAINERS, Exchange, ProtocolError
from ablation.scoring.frames import FrameBuffer, Outbox, OversizedFrameError, read_body, write_body
from ablation.scoring.room import Room

QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)
LIMIT = 1000

# Texts of a message in the shape of an honest one, with odd parts.
TAGS = [
    *("at", "int", "tuple", "frozenset", "type", "constant", "Ellipsis", "NotImplemented"),
    *(
        "yours",
        "mine",
        "object",
        "function",
        "class",
        "module",
        "coroutine",
        "namedtuple",
        "named",
        "exception",
        "foreign",
    ),
    *MAKERS,
    *(kind.__name__ for kind in CONTAINERS),
]
PARTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 9),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from([*TAGS, "__eq__", "0x1f", "builtins", "ValueError", "collections.abc", "Sized"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(st.sampled_from(TAGS), inner, inner).map(list),
        st.tuples(st.sampled_from(TAGS), inner).map(list),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
    ),
    max_leaves=12,
)
CREATED = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(TAGS)).map(list) | PARTS, max_size=3)
CHANGED = st.lists(st.tuples(st.integers(0, 9), st.lists(PARTS, max_size=4)).map(list) | PARTS, max_size=3)
VERBS = st.sampled_from(["ok", "raise", "call", "get", "set", "delete", "operate", "derive", "x"])
MESSAGES = st.tuples(
    st.tuples(VERBS | PARTS, st.lists(PARTS, max_size=3), CREATED, CHANGED), st.lists(st.integers(0, 9), max_size=3)
)


def test_what_is_not_urgent_goes_with_what_follows_soon(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        clock = 10.0
        monkeypatch.setattr(frames.time, "monotonic", lambda: clock)
        outbox, buffer = Outbox(ours.fileno()), FrameBuffer(LIMIT)

        def arrived() -> list[dict]:
            try:
                return list(buffer.feed(theirs.recv(1 << 16)))
            except BlockingIOError:
                return []

        outbox.put({"n": 1}, urgent=False)  # nothing went before
        assert arrived() == [{"n": 1}]
        outbox.put({"n": 2}, urgent=False)
        assert arrived() == []
        outbox.put({"n": 3}, urgent=True)
        assert arrived() == [{"n": 2}, {"n": 3}]
        outbox.put({"n": 4}, urgent=False)
        clock += 2 * frames.TOGETHER_S
        outbox.put({"n": 5}, urgent=False)
        assert arrived() == [{"n": 4}, {"n": 5}]
        outbox.put({"n": 6}, urgent=False)
        outbox.flush()
        assert arrived() == [{"n": 6}]


@QUICK
@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_frames_arrive_whole_however_they_are_cut(bodies, data):
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    buffer = FrameBuffer(LIMIT)
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [body for piece in pieces for body in buffer.bodies(piece)] == bodies


@QUICK
@given(st.lists(st.binary(max_size=200), max_size=5))
@example([b"\xff\xff\xff\xff"])
@example([b"\x00\x00", b"\x03\xe9"])
def test_no_frame_over_the_limit_comes_out_and_no_other_error(pieces):
    buffer, kept = FrameBuffer(LIMIT), 0
    try:
        for piece in pieces:
            bodies = buffer.bodies(piece)
            assert all(len(body) <= LIMIT for body in bodies)
            kept += len(piece) - sum(4 + len(body) for body in bodies)
            assert len(buffer._data) == kept
    except OversizedFrameError:
        pass


def test_a_frame_is_refused_when_it_is_announced_and_not_when_it_is_there():
    with pytest.raises(OversizedFrameError, match="a frame of 1,001 bytes; at most 1,000 are expected"):
        FrameBuffer(LIMIT).bodies((LIMIT + 1).to_bytes(4, "big"))


def test_a_reader_of_a_line_that_ends_within_a_frame_is_told_of_the_end():
    reading, writing = os.pipe()
    write_body(writing, b"whole")
    os.write(writing, b"\x00\x00\x00\x09half")
    os.close(writing)
    assert read_body(reading) == b"whole"
    assert read_body(reading) is None
    os.close(reading)


def take(body: bytes) -> None:
    """Let both kinds of receiver have the message: anything but their own errors fails the test."""
    with contextlib.suppress(ProtocolError):
        Exchange(0).decode(body)
    line, candidate = socket.socketpair()
    candidate.close()  # what a message makes the evaluator ask is answered by nobody
    with line, contextlib.suppress(SessionOverError):
        EvaluatorPeer(line, time.monotonic() + 60, Judgements(), Room(Path(), 1, 1)).decode(body)


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(body):
    take(body)


@settings(QUICK, max_examples=300)
@given(MESSAGES)
def test_messages_of_odd_parts_are_refused_or_read(message):
    take(json.dumps(message).encode())


@settings(QUICK, max_examples=100)
@given(graphs(), st.randoms(use_true_random=False))
def test_honest_messages_with_some_bytes_changed_or_cut_are_refused_or_read(nodes, chance: random.Random):
    honest = bytearray(Exchange(1).encode("ok", [nodes, None]))
    for _ in range(20):
        body = bytearray(honest)
        for _ in range(chance.randint(0, 4)):
            body[chance.randrange(len(body))] = chance.choice(b'[]",0123456789abcex-\x00\xff')
        take(bytes(body[: chance.randint(len(body) // 2, len(body))]))
        take(bytes(body))
