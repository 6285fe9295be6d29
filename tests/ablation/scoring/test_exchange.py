"""The exchange of values: what arrives is what was sent, on both sides, whatever happens to it later."""

import tracemalloc
from collections import deque
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from value_graphs import HASHABLE, described, fill, graphs

from ablation.scoring.exchange import MAX_FRAME_BYTES, Exchange, ProtocolError, UncrossableError

# The same examples at each run: a failure is one for everybody.
QUICK = settings(max_examples=80, deadline=None, derandomize=True, database=None)


def pair() -> tuple[Exchange, Exchange]:
    return Exchange(0), Exchange(1)


def tell(sender: Exchange, receiver: Exchange, *values: Any) -> list[Any]:
    """What arrives of ``values``."""
    return receiver.decode(sender.encode("ok", list(values)))[1]


@QUICK
@given(HASHABLE)
def test_data_arrives_equal_and_of_the_same_type(value):
    assert described(tell(*pair(), value)[0]) == described(value)


@QUICK
@given(graphs())
def test_containers_arrive_with_their_types_order_and_sharing(nodes):
    assert described(tell(*pair(), nodes)[0]) == described(nodes)


@QUICK
@given(graphs(), st.data())
def test_a_change_on_either_side_is_seen_on_the_other_after_the_next_message(nodes, data):
    ours, theirs = pair()
    (copies,) = tell(ours, theirs, nodes)
    for _ in range(data.draw(st.integers(1, 4))):
        on_our_side = data.draw(st.booleans())
        changed = nodes if on_our_side else copies
        node = data.draw(st.sampled_from(range(len(changed))))
        fill(data.draw, changed[node], st.one_of(HASHABLE, st.sampled_from(changed), st.just([1, 2])))
        assert tell(*((ours, theirs) if on_our_side else (theirs, ours)), 1) == [1]
        assert described(nodes) == described(copies)


@QUICK
@given(graphs(cyclic=False))
def test_what_nobody_refers_to_is_forgotten_on_both_sides(nodes):
    ours, theirs = pair()
    (copies,) = tell(ours, theirs, nodes)
    nodes.clear()  # the list itself is held by this test's caller
    tell(ours, theirs)
    assert copies == []
    assert set(theirs._shared) == set(ours._shared)
    del copies
    tell(theirs, ours)
    tell(ours, theirs)
    assert (ours._shared, theirs._shared) == ({}, {})


@pytest.mark.parametrize("make", [list, dict, set, deque, bytearray])
def test_a_container_that_only_one_message_held_is_no_longer_spoken_of(make):
    ours, theirs = pair()
    tell(ours, theirs, [make(), [make()]])
    tell(theirs, ours)
    assert ours.encode("ok", []) == Exchange(0).encode("ok", [])
    assert theirs.encode("ok", []) == Exchange(1).encode("ok", [])


def test_a_chain_of_a_thousand_lists_is_forgotten():
    ours, theirs = pair()
    chain: list[Any] = []
    for _ in range(1000):
        chain = [chain]
    tell(ours, theirs, chain)
    del chain
    tell(ours, theirs)
    assert (ours._shared, theirs._shared) == ({}, {})


def test_a_container_that_is_kept_stays_the_same_one():
    ours, theirs = pair()
    kept = [1]
    (copy,) = tell(ours, theirs, kept)
    assert tell(theirs, ours, copy)[0] is kept
    assert tell(ours, theirs, kept)[0] is copy


class Unknown:
    """What no side can send."""


@QUICK
@given(graphs(), st.data())
def test_a_failing_message_leaves_both_sides_in_step(nodes, data):
    ours, theirs = pair()
    (copies,) = tell(ours, theirs, nodes)
    spoilt: Any = [nodes, [Unknown()]]
    changed = data.draw(st.sampled_from(nodes))
    fill(data.draw, changed, HASHABLE)
    with pytest.raises(UncrossableError):
        ours.encode("ok", [data.draw(graphs()), spoilt])
    tell(ours, theirs, [])
    assert described(nodes) == described(copies)
    assert set(ours._shared) >= set(theirs._shared)


def test_a_change_that_cannot_cross_is_sent_when_it_can():
    ours, theirs = pair()
    kept: list[Any] = [1]
    (copy,) = tell(ours, theirs, kept)
    kept.append(Unknown())
    with pytest.raises(UncrossableError):
        ours.encode("ok", [2])
    kept[1] = 2
    tell(ours, theirs)
    assert copy == [1, 2]


def test_what_is_larger_than_a_frame_is_refused_and_can_be_made_smaller():
    ours, theirs = pair()
    kept = ["x" * MAX_FRAME_BYTES]
    with pytest.raises(UncrossableError, match="can cross"):
        ours.encode("ok", [kept])
    kept[0] = "y"
    assert tell(ours, theirs, kept) == [["y"]]


def test_nesting_beyond_the_stack_is_refused():
    deep: Any = ()
    for _ in range(5000):
        deep = (deep,)
    with pytest.raises(UncrossableError, match="nested too deeply"):
        Exchange(0).encode("ok", [deep])


HOSTILE = {
    "many empty deques": b",".join(b'[%d,"deque"]' % number for number in range(1, 40_001, 2)),
    "many empty dicts": b",".join(b'[%d,"dict"]' % number for number in range(1, 40_001, 2)),
    "many empty counters": b",".join(b'[%d,"Counter"]' % number for number in range(1, 40_001, 2)),
}
# An empty deque takes 760 bytes where its announcement takes 15; a frame of 8 MB stays below the evaluator's 4 GB.
MOST_BYTES_PER_BYTE = 100


@pytest.mark.parametrize("created", HOSTILE.values(), ids=HOSTILE)
def test_a_message_takes_no_more_memory_than_a_small_multiple_of_its_length(created):
    body = b'[["ok",[0],[' + created + b"],[]],[]]"
    exchange = Exchange(0)
    tracemalloc.start()
    try:
        exchange.decode(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES_PER_BYTE * len(body)


@pytest.mark.parametrize(
    "value",
    [
        "9" * 1_000_000,
        '["int",' + "[" * 5000 + "]" * 5000 + "]",
        '["tuple",' * 100_000 + "1" + "]" * 100_000,
        '["range",0,1,0]',
        '["Fraction",1,0]',
        '["Fraction","1e999999999",1]',
        '["ZoneInfo","../../etc/passwd"]',
        '["ZoneInfo","America"]',
        '["ZoneInfo","x\\u0000y"]',
        '["bytes","%"]',
        '["at",0]',
        '["nobody"]',
        "[]",
        "{}",
    ],
    ids=lambda value: value[:24],
)
def test_nonsense_is_a_protocol_error(value):
    with pytest.raises(ProtocolError):
        Exchange(0).decode(f'[["ok",[{value}],[],[]],[]]'.encode())


@QUICK
@given(st.dictionaries(HASHABLE, HASHABLE, max_size=3))
def test_read_only_views_of_a_dict_arrive_as_such(content):
    sent = (MappingProxyType(content), content.keys(), content.items(), content.values())
    proxy, keys, items, values = tell(*pair(), sent)[0]
    assert [type(part) for part in (proxy, keys, items, values)] == [type(part) for part in sent]
    assert described(dict(proxy)) == described(content)
    assert described(list(items)) == described(list(content.items()))
    assert described([*keys, *values]) == described([*content, *content.values()])
