"""Histories read column by column are those read row by row, or are left to it."""

import json
import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.history import Columns, Identity, columns_of, parse_lines, stitch, tidy
from analysis.history_plain import parse_plain

CHAIN = Identity("demo", "binary", 0, "r")
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.booleans())
ODD = st.sampled_from([None, None, None, math.nan, math.inf, "NaN", "word", [1], {"deep": 1}, 10**400])
NULLS = st.one_of(NUMBERS, st.none())
NAMES = st.sampled_from(["reward/train", "a", "é", 'with "quotes"', "z.1"])
PLACES = st.fixed_dictionaries({"chain/link": st.integers(0, 3), "step": st.integers(0, 9)})
SPOILT = {
    "nothing": lambda text: text,
    "a torn end": lambda text: text[:-3],
    "two in a line": lambda text: text.replace("\n", " ", 1),
    "no object": lambda text: "[1]\n" + text,
    "empty lines": lambda text: "\n\n" + text.replace("\n", "\r\n"),
    "no link": lambda text: text.replace("chain/link", "link", 1),
    "half a step": lambda text: text.replace('"step": 1', '"step": 1.5', 1),
    "a step that floats cannot count": lambda text: text.replace('"step": ', '"step": 9900719925474099', 1),
    "one name twice": lambda text: text.replace("{", '{"a": 7, ', 1),
}


def frame(columns: Columns) -> pd.DataFrame:
    return tidy([(CHAIN, columns)])


def text_of(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def compare(text: bytes) -> bool:
    """Whether the text was plain; then that it was read as it is row by row, where nothing was wrong with it."""
    plain = parse_plain(text)
    if plain is None:
        return False
    parsed = parse_lines(text, "h")
    pd.testing.assert_frame_equal(frame(plain), frame(columns_of(stitch(parsed.rows))), check_exact=True)
    assert parsed.problems == []
    return True


@given(st.lists(st.tuples(PLACES, st.dictionaries(NAMES, NUMBERS)), min_size=1, max_size=8), st.sampled_from([*SPOILT]))
def test_plain_numbers_are_read_alike(rows: list[tuple[dict[str, int], dict[str, Any]]], spoilt: str) -> None:
    compare(SPOILT[spoilt](text_of([place | values for place, values in rows])).encode())


@given(st.lists(st.tuples(PLACES, st.dictionaries(NAMES, NULLS)), min_size=1, max_size=8))
def test_nulls_and_absent_entries_are_told_apart(rows: list[tuple[dict[str, int], dict[str, Any]]]) -> None:
    compare(text_of([place | values for place, values in rows]).encode())


@given(st.lists(st.tuples(PLACES, st.dictionaries(NAMES, st.one_of(NUMBERS, ODD))), min_size=1, max_size=8))
def test_odd_values_are_left_to_the_other_reader(rows: list[tuple[dict[str, int], dict[str, Any]]]) -> None:
    compare(text_of([place | values for place, values in rows]).encode())


def test_a_resumed_chain_with_metrics_that_come_and_go_is_plain() -> None:
    rows = [{"step": step, "chain/link": 0, "a": step / 7, "n": step, "time/save": None} for step in (1, 2, 3)]
    rows += [{"step": step, "chain/link": 1, "a": step / 9, "eval/solved": 0.5, "time/save": 0.1} for step in (3, 4)]
    assert compare(text_of(rows).encode())


@pytest.mark.parametrize("spoilt", [name for name in SPOILT if name not in ("nothing", "empty lines")])
def test_what_is_not_plain_is_not_read_here(spoilt: str) -> None:
    text = SPOILT[spoilt](text_of([{"step": step, "chain/link": 0, "a": 0.5} for step in (1, 2)]))
    assert parse_plain(text.encode()) is None
