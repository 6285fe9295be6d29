import math

import numpy as np
import pandas as pd
import pytest
import study_folder as folder

from analysis.errors import AnalysisError
from analysis.optimism import noise, optimism
from analysis.selection import Pick, Rule, candidate_steps, pick, picks_by_span, ship

GRID = list(range(5, 81, 5))


def test_candidates_are_the_saved_steps_without_the_first() -> None:
    assert candidate_steps([20, 5, 10, 15], Rule()) == [10, 15, 20]
    assert candidate_steps([5, 10], Rule(skip_first=0)) == [5, 10]


def test_a_lost_checkpoint_takes_no_other_from_the_candidates() -> None:
    rule = Rule(span=5, skip_first=1, save_every=5)
    assert candidate_steps([10, 15, 20], rule) == [10, 15, 20]
    assert candidate_steps([5, 15, 20], rule) == [15, 20]
    assert candidate_steps([5, 10, 15], rule._replace(skip_first=0)) == [5, 10, 15]
    assert candidate_steps([10, 15, 20], Rule(5, 2, save_every=5)) == [15, 20]


def test_the_rule_in_words_names_the_save_grid_that_it_knows() -> None:
    assert "the saved steps (every 5) without the first of" in Rule(save_every=5).text
    assert "the saved steps without the first of" in Rule().text


def test_the_pick_is_the_argmax_of_pandas_ewm_over_the_candidates() -> None:
    values = np.random.default_rng(3).normal(size=80)
    averages = pd.Series(values, index=range(1, 81)).ewm(span=5, adjust=False).mean()
    expected = averages.loc[GRID[1:]]
    found = pick(dict(enumerate(values, start=1)), GRID, Rule())
    assert found.step == expected.idxmax()
    assert found.score == pytest.approx(expected.max())


def test_the_first_saved_step_is_never_picked_however_good() -> None:
    rewards = {step: 1.0 if step <= 5 else 0.0 for step in range(1, 81)}
    assert pick(rewards, GRID, Rule()).step == 10


def test_a_better_step_that_was_not_saved_is_never_picked() -> None:
    rewards = {step: 5.0 if step == 43 else step / 100 for step in range(1, 81)}
    assert pick(rewards, [5, 10, 20, 80], Rule(span=1)).step == 80


def test_equal_scores_go_to_the_earliest_step() -> None:
    assert pick(dict.fromkeys(range(1, 81), 0.5), GRID, Rule()).step == 10


def test_rewards_are_taken_in_step_order_whatever_the_order_given() -> None:
    values = dict(enumerate(np.random.default_rng(0).normal(size=80), start=1))
    assert pick(dict(reversed(values.items())), GRID, Rule()) == pick(values, GRID, Rule())


def test_missing_rewards_do_not_disturb_the_pick() -> None:
    rewards = {1: 0.1, 5: 0.1, 10: math.nan, 15: math.inf, 20: 0.9}
    assert pick(rewards, [5, 10, 15, 20], Rule()) == Pick(20, pytest.approx(0.1 * 2 / 3 + 0.9 / 3))


@pytest.mark.parametrize("saved", [[], [5]])
def test_no_candidate_is_one_sentence_that_says_what_to_do(saved: list[int]) -> None:
    with pytest.raises(AnalysisError, match=r"no candidate to pick.*chain\.save_every"):
        pick({1: 0.1, 5: 0.2}, saved, Rule())


def test_a_checkpoint_without_history_is_no_candidate() -> None:
    with pytest.raises(AnalysisError, match="none of the candidates"):
        pick({1: 0.1}, [5, 10], Rule())


def test_the_pick_moves_with_the_span() -> None:
    rewards = {step: 0.5 + (step == 20) + 0.3 * (step > 60) for step in range(1, 81)}
    moved = picks_by_span(rewards, GRID, Rule())
    assert moved[1].step == 20
    assert moved[20].step == 80


def test_the_seed_with_the_best_validation_score_ships_not_the_one_with_the_best_own_score() -> None:
    rows = pd.concat(
        [
            folder.held_out(("binary", 0, 45), "validation", 0.7),
            folder.held_out(("binary", 1, 60), "validation", 0.1),
        ]
    )
    assert ship(rows, {0: Pick(45, 0.2), 1: Pick(60, 0.9)}) == 0


def test_other_checkpoints_of_a_seed_do_not_count_for_shipping() -> None:
    rows = pd.concat(
        [
            folder.held_out(("binary", 0, 80), "validation", 0.9),
            folder.held_out(("binary", 0, 45), "validation", 0.1),
            folder.held_out(("binary", 1, 60), "validation", 0.5),
        ]
    )
    assert ship(rows, {0: Pick(45, 0.2), 1: Pick(60, 0.2)}) == 1


def test_choosing_on_the_test_split_is_refused() -> None:
    rows = pd.concat([folder.held_out(("binary", 0, 45), split, 0.5) for split in ("validation", "test")])
    with pytest.raises(AnalysisError, match="split test"):
        ship(rows, {0: Pick(45, 0.2)})


def test_shipping_without_validation_scores_is_refused() -> None:
    with pytest.raises(AnalysisError, match=r"ablation\.evaluate"):
        ship(folder.held_out(("binary", 0, 45), "validation", 0.5), {0: Pick(50, 0.2)})


def test_optimism_of_the_default_rule_is_near_the_measured_value() -> None:
    assert optimism(GRID[1:], 5, 80) == pytest.approx(0.77, abs=0.03)


def test_optimism_agrees_with_an_independent_simulation() -> None:
    curves = pd.DataFrame(np.random.default_rng(9).normal(size=(80, 3000)), index=range(1, 81))
    best = curves.ewm(span=10, adjust=False).mean().loc[GRID[1:]].max()
    assert optimism(GRID[1:], 10, 80) == pytest.approx(best.mean(), abs=0.04)


def test_one_candidate_has_no_optimism_and_more_have_more() -> None:
    assert optimism([80], 5, 80) == pytest.approx(0, abs=0.03)
    assert optimism([40, 80], 5, 80) < optimism(GRID, 5, 80)


def test_noise_is_found_under_a_rising_curve() -> None:
    steps = np.arange(1, 2001)
    values = steps / 2000 + np.random.default_rng(1).normal(0, 0.08, 2000)
    assert noise(dict(zip(steps.tolist(), values.tolist(), strict=True))) == pytest.approx(0.08, rel=0.08)


def test_noise_of_too_few_steps_is_unknown() -> None:
    assert math.isnan(noise({1: 0.2, 2: 0.3}))
