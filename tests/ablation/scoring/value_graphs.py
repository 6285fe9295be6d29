"""Random values that can cross between evaluator and candidate, shared and cyclic, and what describes them."""

import re
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, timedelta, timezone
from pathlib import PosixPath, PurePosixPath
from typing import Any

from hypothesis import strategies as st

ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.builds(timezone, st.integers(-1439, 1439).map(lambda minutes: timedelta(minutes=minutes))),
    st.builds(timezone, st.just(timedelta(hours=2)), st.text(max_size=3)),
    st.sampled_from(["Europe/Berlin", "UTC", "Asia/Kolkata"]).map(zoneinfo.ZoneInfo),
)
HASHABLE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(2**200), 2**200),
        st.floats(),
        st.text(st.characters(), max_size=8),
        st.sampled_from(["\ud800", "\x00", "é\U0001f600"]),
        st.binary(max_size=8),
        st.complex_numbers(),
        st.decimals().filter(lambda number: not number.is_snan()),  # which cannot be hashed
        st.fractions(),
        st.dates(),
        st.datetimes(timezones=ZONES),
        st.times(),
        st.timedeltas(),
        st.uuids(),
        st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3)),
        st.sampled_from([PosixPath("/a/b"), PurePosixPath("c"), uuid.UUID(int=7), Ellipsis, NotImplemented, int, list]),
        st.sampled_from([re.compile("a+"), re.compile(b"b", re.IGNORECASE), re.compile("c", re.MULTILINE)]),
    ),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
KINDS = (list, dict, set, bytearray, Counter, OrderedDict, defaultdict, deque)
PARTS = (list, dict, OrderedDict, defaultdict, deque)  # those that can hold another container


@st.composite
def graphs(draw: st.DrawFn, cyclic: bool = True) -> list[Any]:
    """A few containers whose items are data, tuples, and containers of the same few."""
    nodes = [draw(st.sampled_from(KINDS))() for _ in range(draw(st.integers(1, 5)))]
    for index, node in enumerate(nodes):
        within = nodes if cyclic else nodes[:index]
        item = HASHABLE
        if within:
            item = st.one_of(item, st.sampled_from(within), st.tuples(HASHABLE, st.sampled_from(within)))
        fill(draw, node, item)
    return nodes


def fill(draw: st.DrawFn, node: Any, item: st.SearchStrategy[Any]) -> None:
    """Replace the content of a container by drawn ``item``s."""
    node.clear()
    if isinstance(node, set):
        node |= draw(st.sets(HASHABLE, max_size=4))
    elif isinstance(node, bytearray):
        node += draw(st.binary(max_size=4))
    elif isinstance(node, dict):
        keys = draw(st.lists(HASHABLE, max_size=4))
        for key in keys:
            dict.__setitem__(node, key, draw(item))
    else:
        node.extend(draw(st.lists(item, max_size=4)))
    if isinstance(node, defaultdict):
        node.default_factory = draw(st.sampled_from([None, int, list]))


def described(value: Any) -> Any:
    """Types, contents, and which containers are the same one: all that can be told of a value."""
    return _described(value, {})


def _described(value: Any, seen: dict[int, int]) -> Any:
    kind = type(value)
    if kind is tuple:
        return (kind, [_described(item, seen) for item in value])
    if kind is frozenset:
        return (kind, sorted(repr(_described(item, seen)) for item in value))
    if kind not in KINDS:
        return (kind, repr(value), getattr(value, "fold", None))
    if id(value) in seen:
        return ("again", seen[id(value)])
    seen[id(value)] = len(seen)
    if kind is set:
        return (kind, sorted(repr(_described(item, {})) for item in value))
    extra = (getattr(value, "default_factory", None), getattr(value, "maxlen", None))
    items = [part for pair in value.items() for part in pair] if isinstance(value, dict) else list(value)
    return (kind, extra, [_described(item, seen) for item in items])
