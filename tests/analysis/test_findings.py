from pathlib import Path

import pandas as pd
import pytest
import study_folder as folder

from analysis.compare import compare_arms, sentence
from analysis.differences import differences
from analysis.findings import find
from analysis.held_out import subject_scores
from analysis.picks import rule_of
from analysis.selection import Rule
from analysis.sources import open_source
from analysis.sources.study import Chain
from analysis.tables import held_out_table


def scored(chances: dict[str, list[float]], **sizes: int) -> tuple[pd.DataFrame, dict[tuple[str, int], int]]:
    steps = {(arm, seed): 10 for arm, of_arm in chances.items() for seed in range(len(of_arm))}
    frames = [
        folder.held_out((arm, seed, 10), "test", chance, **sizes)
        for arm, of_arm in chances.items()
        for seed, chance in enumerate(of_arm)
    ]
    return pd.concat(frames, ignore_index=True), steps


def words_of(chances: dict[str, list[float]]) -> list[str]:
    test, steps = scored(chances, tasks=200, samples=4)
    return [sentence(c) for c in compare_arms(test, subject_scores(test), list(chances), steps, "pick")]


def test_two_seeds_are_not_a_comparison(tmp_path: Path) -> None:
    answer = find(open_source(str(folder.write_study(tmp_path / "two", seeds=2)))).answer
    assert all("not a comparison (2 paired seeds, and at least 3 are needed)" in words for words in answer)
    assert not any("better" in words for words in answer)


def test_a_large_steady_difference_is_claimed_for_the_better_arm() -> None:
    assert "a is better than b" in words_of({"a": [0.80, 0.81, 0.82], "b": [0.20, 0.21, 0.22]})[0]


def test_a_difference_that_changes_sign_between_seeds_is_not_claimed() -> None:
    words = words_of({"a": [0.2, 0.5, 0.8], "b": [0.6, 0.4, 0.7]})[0]
    assert "includes 0, so no difference is shown" in words
    assert "better" not in words


def test_checkpoints_scored_on_different_tasks_are_not_compared() -> None:
    test, steps = scored({"a": [0.8] * 3, "b": [0.2] * 3})
    test.loc[test["arm"] == "b", "task_id"] = "other-" + test["task_id"]
    words = [sentence(c) for c in compare_arms(test, subject_scores(test), ["a", "b"], steps, "pick")]
    assert all("not scored on the same test tasks" in sentence for sentence in words)


def test_a_pair_does_not_change_with_the_other_arms_shown() -> None:
    chances = {"a": [0.5, 0.52, 0.6], "b": [0.3, 0.41, 0.35]}
    test, steps = scored(chances | {"c": [0.9, 0.8, 0.7]})
    two, three = (compare_arms(test, subject_scores(test), arms, steps, "pick")[0] for arms in ("ab", "abc"))
    assert two.difference == three.difference


def test_every_differing_setting_is_listed_and_more_than_the_reward_warned_of() -> None:
    chains = [
        Chain("s", arm, seed, "r", "complete", 80, "t", config=folder.config("s", arm, seed, grpo__lr=lr))
        for arm, lr in (("binary", 1e-4), ("shaped", 2e-4))
        for seed in (0, 1)
    ]
    found = differences(chains)
    assert found.table["field"].tolist() == ["grpo.lr", "reward.name"]
    assert found.table.loc[0, ["binary", "shaped"]].tolist() == ["0.0001", "0.0002"]
    assert "More than the reward differs: grpo.lr" in found.warnings[0]


def test_unequal_seeds_within_an_arm_are_warned_of() -> None:
    chains = [
        Chain(
            "s",
            "binary",
            seed,
            "r",
            "complete",
            80,
            "t",
            config=folder.config("s", "binary", seed, grpo__lr=lr),
        )
        for seed, lr in ((0, 1e-4), (1, 2e-4))
    ]
    assert any("Seeds of arm binary differ in grpo.lr" in words for words in differences(chains).warnings)


@pytest.mark.parametrize(
    ("field", "values"), [("chain__steps", (20, 80)), ("chain__save_every", (5, 10)), ("selection__span", (5, 8))]
)
def test_another_length_or_pick_is_warned_of_and_is_no_execution_setting(field: str, values: tuple[int, int]) -> None:
    chains = [
        Chain("s", arm, 0, "r", "complete", 80, "t", config=folder.config("s", arm, 0, **{field: value}))
        for arm, value in zip(folder.ARMS, values, strict=True)
    ]
    found = differences(chains)
    named = field.replace("__", ".")
    assert found.table.set_index("field").loc[named, "part"] == "length and pick"
    assert f"{named} (binary: {values[0]}, shaped: {values[1]})" in found.warnings[0]


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("tasks_fingerprint", ("abc", "def"), "tasks (tasks_fingerprint): abc in binary; def in shaped"),
        ("base_model", ("a/.cache/tiny-1", "a/.cache/tiny-2"), "base model: tiny-1 in binary; tiny-2 in shaped"),
        ("tier", ("rlimits", "landlock"), "sandbox tier: rlimits in binary; landlock in shaped"),
    ],
)
def test_other_tasks_base_models_or_tiers_are_warned_of(
    tmp_path: Path, key: str, values: tuple[str, str], words: str
) -> None:
    for arm, value in zip(folder.ARMS, values, strict=True):
        for seed in (0, 1):
            folder.write_chain(tmp_path / "differ", arm, seed, folder.curve(arm, seed, 10), record={key: value})
    assert words in differences(open_source(str(tmp_path / "differ")).chains).warnings[0]
    folder.write_chain(tmp_path / "absent", "binary", 0, folder.curve("binary", 0, 10), record={key: values[0]})
    folder.write_chain(tmp_path / "absent", "shaped", 0, folder.curve("shaped", 0, 10), record={key: ""})
    assert differences(open_source(str(tmp_path / "absent")).chains).warnings == ()


def test_one_base_model_in_the_caches_of_two_folders_of_runs_is_the_same() -> None:
    chains = [Chain("s", arm, 0, "r", "complete", 80, "t", base_model=f"/{arm}/.cache/tiny-1") for arm in folder.ARMS]
    assert differences(chains).warnings == ()


def test_the_save_grid_is_part_of_the_rule_and_another_one_is_told(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, folder.curve("binary", 0, 20), target=20)
    assert rule_of(open_source(str(tmp_path)).chains) == (Rule(save_every=5), [])
    folder.write_chain(tmp_path, "shaped", 0, folder.curve("shaped", 0, 20), target=20, save_every=10)
    rule, told = rule_of(open_source(str(tmp_path)).chains)
    assert rule == Rule(save_every=5)
    assert "shaped-s0 has another selection rule than binary-s0" in told[0]


def test_a_lost_checkpoint_is_named_with_what_to_type_and_costs_no_other_candidate(tmp_path: Path) -> None:
    typed = "python -m ablation.run reward=binary"
    rows = [folder.row(step, reward__train=float(step <= 10)) for step in range(1, 21)]
    chain = folder.write_chain(tmp_path, "binary", 0, rows, target=20, record={"command": typed})
    assert not any("lacks" in problem for problem in find(open_source(str(tmp_path))).problems)
    (chain / "checkpoints" / "checkpoint-5").rmdir()
    found = find(open_source(str(tmp_path)))
    assert found.picks.by_chain["binary", 0].step == 10
    assert (
        f"binary-s0 lacks the checkpoint of step 5, which could not be picked: put back {chain}/checkpoints/"
        f"checkpoint-5, or train the chain again with `mv {chain} {tmp_path}/.binary-s0.incomplete` and `{typed}`."
    ) in found.problems


def test_unscored_samples_are_counted_in_no_mean_and_said(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, folder.curve("binary", 0, 10), target=10)
    frame = folder.held_out(("binary", 0, 10), "test", 0.5).astype({"solved": "object"})
    frame.loc[:1, ["solved", "pass_ratio", "passed"]] = None
    frame.loc[:1, "status"] = "infrastructure"
    folder.write_held_out(tmp_path, frame)
    found = find(open_source(str(tmp_path)))
    assert found.held_out["unscored"].tolist() == [2]
    assert found.held_out["solved"].tolist() == pytest.approx([frame["solved"].dropna().astype(float).mean()])
    assert any("2 of 80 test samples of 1 subjects could not be scored" in words for words in found.problems)


def test_pass_at_k_is_given_only_below_the_number_of_samples() -> None:
    scores = subject_scores(folder.held_out(None, "test", 0.5, samples=4))
    assert scores[["pass_at_1", "pass_at_2"]].notna().all(axis=None)
    assert scores["pass_at_4"].isna().all()
    assert scores["pass_at_1"].tolist() == pytest.approx(scores["solved"].tolist())


def test_greedy_scores_stand_beside_sampled_ones_and_are_never_mixed_in(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, folder.curve("binary", 0, 10), target=10)
    sampled = folder.held_out(("binary", 0, 10), "test", 0.2)
    greedy = folder.held_out(("binary", 0, 10), "test", 0.9, samples=1, mode="greedy")
    folder.write_held_out(tmp_path, sampled, greedy)
    found = find(open_source(str(tmp_path)))
    assert found.picks_table["test_solved"].tolist() == pytest.approx([sampled["solved"].mean()])
    shown = held_out_table(found.study, found.picks, found.held_out, "test")
    assert shown["greedy"].tolist() == pytest.approx([greedy["solved"].mean()])


def test_a_logged_ema_that_is_not_the_rules_is_told(tmp_path: Path) -> None:
    rewards = [0.2, 0.9, 0.3, 0.4, 0.5]
    for name, adjust in (("right", False), ("wrong", True)):
        averages = pd.Series(rewards).ewm(span=5, adjust=adjust).mean()
        rows = [
            folder.row(step, reward__train=reward, reward__ema=average)
            for step, (reward, average) in enumerate(zip(rewards, averages, strict=True), start=1)
        ]
        folder.write_chain(tmp_path / name, "binary", 0, rows, target=5)
    told = {name: find(open_source(str(tmp_path / name))).problems for name in ("right", "wrong")}
    assert not any("another reward/ema" in problem for problem in told["right"])
    assert any("another reward/ema than the rule's at steps 2, 3, 4, 5" in problem for problem in told["wrong"])
