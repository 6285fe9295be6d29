import math

import pytest

from ablation import metrics
from analysis.sources.presets import OURS, recognise
from analysis.sources.wandb_items import Item, stitch_items


def calls(*rows: dict[str, float], first: int = 0) -> list[Item]:
    """Rows as W&B stores them: numbered by call."""
    return [{"_step": float(first + index), "_runtime": 1.5, **row} for index, row in enumerate(rows)]


def trl(*steps: int, reward: float = 0.0) -> list[dict[str, float]]:
    return [{"train/global_step": step, "train/reward": reward} for step in steps]


def rewards(*parts: list[Item], metric: str = "train/reward") -> dict[int, float]:
    return {row.step: row.values[metric] for row in stitch_items(parts, "run r").rows if metric in row.values}


@pytest.mark.parametrize(
    ("step", "reward", "name"),
    [
        ("train/global_step", "train/reward", "TRL"),
        ("trainer/global_step", "reward/avg_raw_reward", "SkyRL"),
        ("training/global_step", "critic/rewards/mean", "verl"),
        (metrics.STEP, metrics.REWARD_TRAIN, "ablation"),
    ],
)
def test_trainers_are_told_by_their_keys_and_names_are_kept(step: str, reward: str, name: str) -> None:
    stitched = stitch_items([calls({step: 5, reward: 0.5, "a/b": 1})], "run r")
    assert stitched.preset is not None
    assert (stitched.preset.name, stitched.preset.reward) == (name, reward)
    assert [(row.step, row.values) for row in stitched.rows] == [(5, {reward: 0.5, "a/b": 1})]
    assert stitched.problems == []


def test_our_own_runs_are_ours_although_they_log_what_trl_logs() -> None:
    assert recognise({"step", "reward/train", "train/global_step", "train/reward"}) is OURS
    assert recognise({"step", "loss"}) is None


def test_a_step_in_several_calls_is_one_row_and_its_last_values_count() -> None:
    items = calls(*trl(1, reward=0.1), {"train/global_step": 1, "eval/loss": 3.0}, *trl(1, reward=0.2))
    [row] = stitch_items([items], "run r").rows
    assert row.values == {"train/reward": 0.2, "eval/loss": 3.0}


def test_what_a_later_file_does_again_replaces_what_was_done_after_it_too() -> None:
    # Killed at 43, resumed at 41: the evaluation of step 43 belongs to weights that are gone.
    first = calls(*trl(*range(1, 44), reward=1.0), {"train/global_step": 43, "eval/loss": 9.0})
    second = calls(*trl(41, 42, reward=2.0))
    stitched = stitch_items([first, second], "run r")
    assert [row.step for row in stitched.rows] == list(range(1, 43))
    assert [row.values["train/reward"] for row in stitched.rows[-3:]] == [1.0, 2.0, 2.0]
    assert not any("eval/loss" in row.values for row in stitched.rows)
    assert stitched.problems == ["run r has 3 rows of steps that a later link logged again: those count."]


def test_a_step_that_goes_back_within_one_history_begins_a_link() -> None:
    items = calls(*trl(1, 2, 3, 4, reward=1.0), *trl(3, reward=2.0))
    assert rewards(items) == {1: 1.0, 2: 1.0, 3: 2.0}
    assert [row.link for row in stitch_items([items], "run r").rows] == [0, 0, 1]


def test_a_step_that_is_no_number_does_not_hide_that_a_later_one_goes_back() -> None:
    items = calls(*trl(1, 2, 3, reward=1.0), {"train/global_step": math.nan, "x": 1}, *trl(2, reward=2.0))
    assert rewards(items) == {1: 1.0, 2: 2.0}


def test_links_of_our_own_runs_are_those_that_were_logged() -> None:
    def own(step: int, link: int) -> dict[str, float]:
        return {"step": step, "chain/link": link, "reward/train": link}

    stitched = stitch_items([calls(own(1, 4), own(2, 4)), calls(own(2, 7))], "run r")
    assert [(row.step, row.link, row.values) for row in stitched.rows] == [
        (1, 4, {"reward/train": 4}),
        (2, 7, {"reward/train": 7}),
    ]


def test_validation_without_the_key_is_at_the_step_that_the_trainer_gave_to_wandb() -> None:
    verl = [{"_step": step, "training/global_step": step, "critic/rewards/mean": 0.5} for step in (1.0, 2.0)]
    items = [{"_step": 0.0, "val/score": 0.1}, *verl, {"_step": 3.0, "val/score": 0.2}]
    assert rewards(items, metric="val/score") == {0: 0.1, 3: 0.2}


def test_calls_without_the_step_are_left_out_and_counted() -> None:
    stitched = stitch_items([calls({"profiling/a": 1}, *trl(1), {"table": 1}, {})], "run r")
    assert [row.step for row in stitched.rows] == [1]
    assert stitched.problems == [
        "3 rows of run r have no whole train/global_step and were left out; they hold profiling/a, table."
    ]


def test_a_run_without_a_known_step_has_the_calls_of_wandb_and_says_so() -> None:
    stitched = stitch_items([calls({"loss": 1.0}, {"loss": 0.5})], "run r")
    assert stitched.preset is None
    assert [(row.step, row.values) for row in stitched.rows] == [(0, {"loss": 1.0}), (1, {"loss": 0.5})]
    assert "logs none of step, trainer/global_step, training/global_step, train/global_step" in stitched.problems[0]


def test_files_that_all_count_from_zero_are_not_silently_one_behind_the_other() -> None:
    stitched = stitch_items([calls(*[{"loss": 1.0}] * 5), calls(*[{"loss": 2.0}] * 3)], "run r")
    assert [row.values["loss"] for row in stitched.rows] == [2.0] * 3
    assert "2 files and no global step" in stitched.problems[1]
    assert "5 rows of earlier files were left out" in stitched.problems[1]
