import math
from pathlib import Path

import pytest

from ablation.repeating.histories import _of_table, comparison


def test_equal_histories_are_said_to_be_with_their_size() -> None:
    history = {1: {"a": 1.0, "b": math.nan}, 2: {"a": 2.0, "b": 0.5}}
    assert comparison(history, dict(history)) == (
        "The histories are equal: all 2 deterministic metrics at each of the 2 steps."
    )


def test_the_first_difference_is_told_by_step_metric_and_size() -> None:
    then = {1: {"a": 1.0, "b": 1.0}, 2: {"a": 1.0, "b": 0.25}, 3: {"a": 9.0, "b": 1.0}}
    now = {1: {"a": 1.0, "b": 1.0}, 2: {"a": 1.0, "b": 0.5}, 3: {"a": 1.0, "b": 1.0}}
    assert "first differ at step 2 in 1 of 2 metrics, b was 0.25 and is 0.5 (+0.25); 3 steps" in comparison(then, now)


def test_a_value_that_became_null_differs() -> None:
    assert "a was 1.0 and is nan" in comparison({1: {"a": 1.0}}, {1: {"a": math.nan}})


def test_fewer_steps_and_other_metrics_are_told() -> None:
    said = comparison({1: {"a": 1.0, "old": 2.0}, 2: {"a": 2.0}}, {1: {"a": 1.0, "new": 1.0}})
    assert said == (
        "The histories are equal: all 1 deterministic metrics at each of the 1 steps of 2 that were recorded; 1 are "
        "logged only then (old); 1 are logged only now (new)."
    )


@pytest.mark.parametrize("then", [{}, {5: {"a": 1.0}}])
def test_without_a_common_step_nothing_is_claimed(then: dict[int, dict[str, float]]) -> None:
    assert "nothing is compared" in comparison(then, {1: {"a": 1.0}})


def test_a_table_gives_the_chain_of_arm_and_seed_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(
        '"study","arm","seed","run_id","link","step","metric","value"\n'
        '"s","1.0",0,"r",0,1,"score/solved",0.1428571428571428\n"s","1.0",0,"r",0,1,"train/kl",\n'
        '"s","1.0",0,"r",0,1,"time/step",9\n"s","1.0",1,"r",0,1,"score/solved",1\n"s","2",0,"r",0,1,"score/solved",1\n'
    )
    found = _of_table(path, "1.0", 0)
    assert list(found) == [1]
    assert found[1]["score/solved"] == 0.1428571428571428
    assert math.isnan(found[1]["train/kl"])
    assert "time/step" not in found[1]
