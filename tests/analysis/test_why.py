import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.curves import AREA, curve_scores
from analysis.history import Identity, Row, columns_of, combine, tidy
from analysis.reasons import chain_reasons, reasons
from analysis.why import PASSED, join, summarise


def rollouts(groups: list[list[int]], total: int = 4, **columns: Any) -> pd.DataFrame:
    """One step a group; a sample passes so many of ``total`` tests."""
    return pd.DataFrame(
        [
            {
                "step": step,
                "group": 0,
                "sample": sample,
                "task_id": f"task-{step}",
                "status": "scored",
                "pass_ratio": passed / total,
                "solved": float(passed == total),
                "characters": 10 * step,
                "reward/binary": float(passed == total),
                "reward/shaped": passed / total,
                **columns,
            }
            for step, of_group in enumerate(groups, start=1)
            for sample, passed in enumerate(of_group)
        ]
    )


REWARDS = ("binary", "shaped")


def test_groups_without_signal_are_counted_under_each_reward_on_the_same_rollouts() -> None:
    why = summarise(rollouts([[0, 1, 2], [4, 4, 4], [4, 0, 0], [0, 0, 0]]), REWARDS, width=4)
    assert why.signal.set_index("reward")[["groups", "flat"]].to_dict("index") == {
        "binary": {"groups": 4, "flat": 3},
        "shaped": {"groups": 4, "flat": 2},
    }


def test_advantages_agree_as_numpy_says() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 5, (30, 8)).tolist()
    [row] = summarise(rollouts(groups), REWARDS, width=30).agreement.to_dict("records")
    pairs = []
    for group in groups:
        both = np.array([[float(passed == 4) for passed in group], [passed / 4 for passed in group]])
        if (both.std(axis=1) > 0).all():
            pairs.append((both - both.mean(axis=1, keepdims=True)) / both.std(axis=1, keepdims=True))
    x, y = np.concatenate(pairs, axis=1)
    assert row["groups"] == len(pairs)
    assert row["correlation"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert row["opposite"] == pytest.approx(np.mean(x * y < 0))
    assert row["groups"] + row["only_a"] + row["only_b"] + row["neither"] == 30


def test_an_unscored_sample_is_in_no_advantage_and_in_the_kinds() -> None:
    rows = rollouts([[4, 0, 2], [4, 4, 4]])
    rows.loc[0, ["reward/binary", "reward/shaped", "pass_ratio", "solved"]] = math.nan
    rows.loc[0, "status"] = "infrastructure"
    why = summarise(rows, REWARDS, width=2)
    assert why.signal.set_index("reward")["flat"].to_dict() == {"binary": 2, "shaped": 1}
    assert why.kinds.set_index("kind")["samples"].to_dict() == {
        "infrastructure": 1,
        "no test passed": 1,
        "solved": 3,
        "some tests passed": 1,
    }


def test_samples_are_sorted_by_how_many_of_their_tests_pass() -> None:
    why = summarise(rollouts([[0, 1, 2, 3, 4, 4]]), REWARDS, width=1)
    shares = why.passed.set_index("tests")["samples"]
    assert shares[list(PASSED)].tolist() == [1, 1, 1, 1, 0, 2]
    assert why.passed["share"].sum() == pytest.approx(1)


def test_sentences_have_their_uncertainty_from_the_seeds() -> None:
    parts = [
        (arm, seed, summarise(rollouts([[0, 1, 2], [4, 0, 0], [0, 0, 0], [4, 4, seed]]), REWARDS, width=2))
        for arm in REWARDS
        for seed in range(3)
    ]
    history = combine([])
    table = chain_reasons(join(parts), history)
    said = reasons(table, REWARDS, {arm: arm for arm in REWARDS})
    assert "On the rollouts of binary, 50.0% of groups have no signal under binary and 25.0% under shaped" in said[0]
    assert any(
        "Under the reward that it trains on, 75.0% of the groups of shaped have a signal" in text for text in said
    )


def test_areas_and_fixed_steps_are_read_off_the_curves_that_all_chains_have() -> None:
    chains = [
        (
            Identity("s", arm, seed, f"{arm}{seed}"),
            columns_of([Row(0, step, {"score/solved": level * step / 40}) for step in range(1, length + 1)]),
        )
        for arm, level in (("a", 0.4), ("b", 0.6))
        for seed, length in ((0, 40), (1, 40), (2, 60))
    ]
    found = curve_scores(tidy(chains), ["a", "b"], ["score/solved"], 1, {})
    assert found.common_steps == 40
    areas = found.table[found.table["measure"] == AREA].set_index(["arm", "seed"])["value"]
    assert areas["a", 2] == pytest.approx(np.mean([0.4 * step / 40 for step in range(1, 41)]))
    at_20 = found.table[found.table["measure"] == "EMA at step 20"].set_index(["arm", "seed"])["value"]
    assert at_20["b", 0] == pytest.approx(0.3)
    to_40 = found.table[found.table["measure"] == "steps to 40%"].set_index(["arm", "seed"])["value"]
    assert to_40["a", 0] == 40
    assert to_40["b", 0] == 27
