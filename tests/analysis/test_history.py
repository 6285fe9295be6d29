import json
import math
from typing import Any

import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.history import (
    COLUMNS,
    SCHEMA,
    Identity,
    Row,
    check,
    columns_of,
    combine,
    parse_lines,
    series,
    stitch,
    tidy,
)

CHAIN = Identity("demo", "binary", 0, "r")


def frame_of(rows: list[Row], chain: Identity = CHAIN) -> pd.DataFrame:
    return tidy([(chain, columns_of(rows))])


def lines(*items: Any, end: str = "\n") -> bytes:
    return ("\n".join(item if isinstance(item, str) else json.dumps(item) for item in items) + end).encode()


def rows(*triples: tuple[int, int, float]) -> list[Row]:
    return [Row(link, step, {"reward/train": value}) for link, step, value in triples]


def values(stitched: list[Row]) -> dict[int, float]:
    return {row.step: row.values["reward/train"] for row in stitched}


def test_a_later_link_replaces_the_steps_that_it_did_again() -> None:
    stitched = stitch(rows((0, 1, 0.1), (0, 2, 0.2), (0, 3, 0.3), (1, 2, 0.9), (1, 3, 0.8)))
    assert values(stitched) == {1: 0.1, 2: 0.9, 3: 0.8}


def test_steps_beyond_a_later_links_end_are_stale() -> None:
    # Killed at 43, resumed at 41, killed again at 41: rows 42 and 43 belong to weights that are gone.
    stitched = stitch(rows((0, 40, 0.1), (0, 41, 0.2), (0, 42, 0.3), (0, 43, 0.4), (1, 41, 0.9)))
    assert values(stitched) == {40: 0.1, 41: 0.9}


def test_the_last_row_of_a_step_wins_within_a_link() -> None:
    assert values(stitch(rows((0, 1, 0.1), (0, 1, 0.5)))) == {1: 0.5}


def test_links_are_ordered_by_number_not_by_place_in_the_file() -> None:
    assert values(stitch(rows((1, 2, 0.9), (0, 1, 0.1), (0, 2, 0.2)))) == {1: 0.1, 2: 0.9}


def test_nan_and_infinity_are_read_in_every_spelling() -> None:
    text = b'{"step": 1, "a": NaN, "b": "NaN", "c": Infinity, "d": "-Infinity", "e": null, "f": true}\n'
    found = parse_lines(text, "h").rows[0].values
    assert [name for name in "abe" if math.isnan(found[name])] == ["a", "b", "e"]
    assert (found["c"], found["d"], found["f"]) == (math.inf, -math.inf, 1.0)


def test_a_torn_last_line_is_named_and_the_others_kept() -> None:
    parsed = parse_lines(lines({"step": 1, "m": 1}, '{"step": 2, "m', end=""), "binary-s0/history.jsonl")
    assert [row.step for row in parsed.rows] == [1]
    assert parsed.problems == [
        "binary-s0/history.jsonl line 2 is torn, as an interruption leaves it; the other lines were kept."
    ]


@pytest.mark.parametrize("bad", ["nonsense", "[1]", '{"m": 1}', '{"step": 1.5}', '{"step": "NaN"}', "[" * 100_000])
def test_an_unreadable_line_is_named_by_number_and_the_others_kept(bad: str) -> None:
    parsed = parse_lines(lines({"step": 1, "m": 1}, bad, {"step": 2, "m": 2}), "h")
    assert [row.step for row in parsed.rows] == [1, 2]
    assert len(parsed.problems) == 1
    assert "h line 2 is unreadable" in parsed.problems[0]


def test_bytes_that_are_no_text_are_unreadable_not_fatal() -> None:
    parsed = parse_lines(b'\xff\xfe\n{"step": 1, "m": 1}\n', "h")
    assert len(parsed.rows) == len(parsed.problems) == 1


def test_an_entry_that_is_no_number_is_told_and_the_row_kept() -> None:
    parsed = parse_lines(lines({"step": 1, "m": 1, "note": "hello"}), "h")
    assert parsed.rows[0].values == {"m": 1.0}
    assert parsed.problems == ["h line 1: note is not a number and was left out."]


def test_many_odd_lines_are_told_together() -> None:
    parsed = parse_lines(lines(*({"step": step, "note": "hello"} for step in range(1, 21)), *["junk"] * 30), "h")
    assert len(parsed.rows) == 20
    assert len(parsed.problems) == 7
    assert parsed.problems[5] == "h has 25 more lines that are unreadable; the others were kept."
    assert parsed.problems[6] == "h lines 1, 2, 3, 4, 5 and 15 more: note is not a number and was left out."


def test_a_tidy_frame_has_the_schema_and_keeps_nan() -> None:
    frame = frame_of([Row(0, 1, {"b": math.nan, "a": 1.0})])
    assert list(frame.columns) == COLUMNS
    assert [str(frame[c].dtype) for c in ("seed", "link", "step", "value")] == [
        SCHEMA[c] for c in ("seed", "link", "step", "value")
    ]
    assert frame["metric"].tolist() == ["a", "b"]
    assert math.isnan(frame["value"].iloc[1])


def test_two_values_of_one_metric_at_a_step_are_refused() -> None:
    frame = frame_of(rows((0, 1, 0.1)))
    with pytest.raises(AnalysisError, match="two values at step 1"):
        check(pd.concat([frame, frame]))


def test_rows_that_were_not_stitched_and_chains_given_twice_are_refused() -> None:
    with pytest.raises(AnalysisError, match="two values at step 1"):
        frame_of(rows((0, 1, 0.1), (1, 1, 0.2)))
    with pytest.raises(AnalysisError, match="two values at step 1"):
        tidy([(CHAIN, columns_of(rows((0, 1, 0.1)))), (CHAIN, columns_of(rows((0, 1, 0.1))))])


def test_chains_of_other_metrics_make_one_sorted_frame() -> None:
    shaped = CHAIN._replace(arm="shaped", run_id="q")
    chains = [(shaped, columns_of([Row(0, 2, {"b": 4.0, "a": 3.0})])), (CHAIN, columns_of([Row(0, 1, {"c": 1.0})]))]
    frame = tidy(chains)
    assert frame[["arm", "step", "metric", "value"]].to_numpy().tolist() == [
        ["binary", 1, "c", 1.0],
        ["shaped", 2, "a", 3.0],
        ["shaped", 2, "b", 4.0],
    ]
    pd.testing.assert_frame_equal(frame, check(frame))


def test_an_absent_column_is_named() -> None:
    with pytest.raises(AnalysisError, match="no column run_id"):
        check(frame_of(rows((0, 1, 0.1))).drop(columns="run_id"))


def test_frames_of_several_studies_are_combined_in_order() -> None:
    other = frame_of(rows((0, 2, 0.7)), Identity("demo", "shaped", 1, "q"))
    together = combine([other, frame_of(rows((0, 1, 0.1), (0, 2, 0.2)))])
    assert together[["arm", "step", "value"]].to_numpy().tolist() == [
        ["binary", 1, 0.1],
        ["binary", 2, 0.2],
        ["shaped", 2, 0.7],
    ]


def test_a_series_is_one_chains_metric_by_step() -> None:
    assert series(frame_of(rows((0, 2, 0.2), (0, 1, 0.1))), "binary", 0, "reward/train") == {
        1: 0.1,
        2: 0.2,
    }


def test_nothing_combined_is_an_empty_frame_of_the_right_types() -> None:
    assert str(combine([])["value"].dtype) == "float64"
