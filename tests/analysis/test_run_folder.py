import json
import os
from pathlib import Path

import pytest
import study_folder as folder

from analysis.errors import AnalysisError
from analysis.history import series
from analysis.sources import newest_study, open_source, open_sources
from analysis.sources.held_out import load_test, load_validation
from analysis.sources.rollouts import sample_rollouts


def short(value: float = 0.5, steps: int = 10, link: int = 0) -> list[dict[str, object]]:
    return [folder.row(step, link, reward__train=value) for step in range(1, steps + 1)]


def test_a_study_has_its_chains_in_order_of_arm_and_seed(tmp_path: Path) -> None:
    for arm, seed in (("shaped", 0), ("binary", 10), ("binary", 2)):
        folder.write_chain(tmp_path, arm, seed, short())
    study = open_source(str(tmp_path))
    assert [(c.arm, c.seed) for c in study.chains] == [("binary", 2), ("binary", 10), ("shaped", 0)]
    assert study.arms == ("binary", "shaped")
    assert study.history.problems == ()
    chain = study.chains[0]
    assert (chain.status, chain.target_steps, chain.tier) == ("complete", 80, "landlock+seccomp")
    assert chain.saved_steps == (5, 10)
    assert chain.links[0].versions["trl"] == "1.16.0"
    assert chain.config["grpo"]["lr"] == 2e-4


def test_a_chain_that_was_killed_and_resumed_equals_one_that_was_not(tmp_path: Path) -> None:
    whole = [folder.row(step, reward__train=step / 100) for step in range(1, 21)]
    again = [dict(item, **{"chain/link": 1}) for item in whole if item["step"] > 10]
    stale = [folder.row(step, reward__train=9.0) for step in (11, 12, 13)]
    folder.write_chain(tmp_path / "a", "binary", 0, whole)
    folder.write_chain(tmp_path / "b", "binary", 0, whole[:10] + stale + again)
    a, b = (open_source(str(tmp_path / name)).history.frame for name in "ab")
    assert a[["step", "metric", "value"]].equals(b[["step", "metric", "value"]])
    assert b["link"].tolist() == [0] * 10 + [1] * 10


def test_the_arm_comes_from_the_files_never_from_the_folders_name(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, short()).rename(tmp_path / "shaped-s7")
    assert [(c.arm, c.seed) for c in open_source(str(tmp_path)).chains] == [("binary", 0)]


def test_a_folder_without_identity_is_left_out_and_named(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, short())
    bare = folder.write_chain(tmp_path, "binary", 1, short())
    (bare / "chain.json").unlink()
    (bare / "config.yaml").write_text("reward: {name: binary}\n")
    study = open_source(str(tmp_path))
    assert [c.seed for c in study.chains] == [0]
    assert any("binary-s1 names no study, arm, seed" in problem for problem in study.history.problems)


def test_a_torn_chain_json_is_told_and_the_config_names_the_chain(tmp_path: Path) -> None:
    chain = folder.write_chain(tmp_path, "binary", 1, short())
    (chain / "chain.json").write_text('{"study": "x", "ar')
    study = open_source(str(tmp_path))
    assert (study.chains[0].arm, study.chains[0].status) == ("binary", "unknown")
    assert any("chain.json cannot be read" in problem for problem in study.history.problems)


def test_two_folders_of_one_chain_are_told_and_the_first_kept(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, short(0.25)).rename(tmp_path / "a")
    folder.write_chain(tmp_path, "binary", 0, short(0.75)).rename(tmp_path / "b")
    study = open_source(str(tmp_path))
    assert set(series(study.history.frame, "binary", 0, "reward/train").values()) == {0.25}
    assert "b and a both say that they are arm binary seed 0" in study.history.problems[0]


def test_checkpoints_off_the_grid_are_no_candidates_and_named(tmp_path: Path) -> None:
    chain = folder.write_chain(tmp_path, "binary", 0, short())
    for name in ("checkpoint-7", "checkpoint-15.partial"):
        (chain / "checkpoints" / name).mkdir()
    study = open_source(str(tmp_path))
    assert study.chains[0].saved_steps == (5, 10)
    assert len([p for p in study.history.problems if "not on the save grid" in p]) == 2


def test_a_chain_that_logged_nothing_yet_is_still_a_chain(tmp_path: Path) -> None:
    chain = folder.write_chain(tmp_path, "binary", 0, short())
    (chain / "history.jsonl").unlink()
    study = open_source(str(tmp_path))
    assert len(study.chains) == 1
    assert study.history.frame.empty
    assert "no step was logged yet" in study.history.problems[0]


def test_a_source_that_is_no_study_is_one_sentence_with_what_to_give_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder.write_chain(Path("runs/demo"), "binary", 0, short())
    Path("empty").mkdir()
    Path("file").touch()
    for source, words in (
        ("nowhere", r"nowhere does not exist where .*`python -m ablation\.run -m reward=binary,shaped`\."),
        ("empty", r"empty holds no chain where .*`python -m ablation\.run -m reward=binary,shaped`\."),
        ("file", r"file is no folder where .*`python -m ablation\.run -m reward=binary,shaped`\."),
        ("demo", r"demo does not exist where .*: type runs/demo\."),
        ("runs", r"runs holds no chain where .*: give one of runs/demo\."),
        ("runs/demo/binary-s0", r"is one chain where .*: give the study's folder runs/demo\."),
    ):
        with pytest.raises(AnalysisError, match=f"^(runs/demo/binary-s0 )?{words}$"):
            open_source(source)


def test_the_newest_study_is_the_one_written_to_last_and_never_a_hidden_folder(tmp_path: Path) -> None:
    for age, name in ((300, "old"), (200, "new"), (100, ".cache")):
        chain = folder.write_chain(tmp_path / name, "binary", 0, short())
        for file in ("chain.json", "history.jsonl"):
            os.utime(chain / file, (2e9 - age, 2e9 - age))
    (tmp_path / "empty").mkdir()
    assert newest_study(str(tmp_path)) == (tmp_path / "new").as_posix()


def test_no_study_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"runs/ does not exist.*ablation\.run"):
        newest_study(str(tmp_path / "runs"))
    (tmp_path / "runs" / "empty").mkdir(parents=True)
    with pytest.raises(AnalysisError, match=r"no study with a chain.*ablation\.run"):
        newest_study(str(tmp_path / "runs"))


def test_arms_that_several_studies_share_are_named_by_study(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder.write_chain(tmp_path / name, "binary", 0, short())
        folder.write_held_out(tmp_path / name, folder.held_out(("binary", 0, 10), "test", 0.5))
    folder.write_chain(tmp_path / "two", "shaped", 0, short())
    study = open_sources([str(tmp_path / "one"), str(tmp_path / "two")])
    assert study.arms == ("one/binary", "shaped", "two/binary")
    assert set(study.history.frame["arm"]) == set(study.arms)
    assert sorted(set(load_test(study).frame["arm"])) == ["one/binary", "two/binary"]
    assert sorted(set(load_test(study).frame["subject"])) == ["one/binary-s0@10", "two/binary-s0@10"]


def test_one_study_given_twice_is_refused(tmp_path: Path) -> None:
    folder.write_chain(tmp_path / "one", "binary", 0, short())
    with pytest.raises(AnalysisError, match="give each study once"):
        open_sources([str(tmp_path / "one")] * 2)


def test_validation_and_test_scores_are_never_mixed(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, short())
    frames = [folder.held_out(("binary", 0, 10), split, 0.5) for split in ("validation", "test")]
    folder.write_held_out(tmp_path, *frames)
    stray = tmp_path / "evaluation" / "validation" / "stray.parquet"
    frames[1].to_parquet(stray)
    study = open_source(str(tmp_path))
    validation = load_validation(study)
    assert set(validation.frame["split"]) == {"validation"}
    assert "stray.parquet was left out (its split column says test)" in validation.problems[0]
    assert set(load_test(study).frame["split"]) == {"test"}


def test_unscored_samples_are_read_as_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, short())
    frame = folder.held_out(None, "test", 0.5).astype({"solved": "object"})
    frame.loc[0, ["solved", "pass_ratio", "passed"]] = None
    frame.loc[0, "status"] = "infrastructure"
    folder.write_held_out(tmp_path, frame)
    (tmp_path / "evaluation" / "test" / "broken.parquet").write_bytes(b"PAR1 not really")
    found = load_test(open_source(str(tmp_path)))
    assert found.frame["solved"].isna().sum() == 1
    assert len(found.problems) == 1
    assert "broken.parquet was left out" in found.problems[0]


def test_rollouts_shown_are_early_and_late_solved_and_not(tmp_path: Path) -> None:
    folder.write_chain(tmp_path, "binary", 0, short())
    (tmp_path / "binary-s0" / "rollouts" / "torn.parquet").write_bytes(b"PAR1")
    rollouts, problems = sample_rollouts(open_source(str(tmp_path)).chains[0])
    assert [(r.when, r.step, r.solved) for r in rollouts] == [
        ("first", 1, True),
        ("first", 1, False),
        ("last", 10, True),
        ("last", 10, False),
    ]
    assert "torn.parquet cannot be read" in problems[0]


def test_a_rollout_has_the_reward_that_its_arm_trained_on_where_the_file_keeps_it(tmp_path: Path) -> None:
    chain = folder.write_chain(tmp_path, "shaped", 0, short())
    before, _ = sample_rollouts(open_source(str(tmp_path)).chains[0])
    assert [rollout.reward for rollout in before] == [None] * 4
    folder.write_rollouts(chain, [1, 10], reward__train=0.125)
    folder.write_rollouts(chain, [11])
    (chain / "rollouts" / "rollouts-00000.parquet").rename(chain / "rollouts" / "old.parquet")
    folder.write_rollouts(chain, [1, 10], reward__train=0.125)
    after, problems = sample_rollouts(open_source(str(tmp_path)).chains[0])
    assert [(rollout.step, rollout.reward) for rollout in after] == [(1, 0.125), (1, 0.125), (11, None), (11, None)]
    assert problems == []


@pytest.mark.parametrize("seed", [1.5, "x", "-"])
def test_a_seed_that_is_no_whole_number_is_told_with_what_to_type(tmp_path: Path, seed: object) -> None:
    folder.write_chain(tmp_path, "binary", 0, short(), record={"seed": seed})
    with pytest.raises(AnalysisError, match=r"whole number is expected.*ablation\.run"):
        open_source(str(tmp_path))


def test_config_and_chain_json_that_disagree_are_told(tmp_path: Path) -> None:
    chain = folder.write_chain(tmp_path, "binary", 0, short())
    state = json.loads((chain / "chain.json").read_text())
    (chain / "chain.json").write_text(json.dumps(state | {"seed": 4}))
    study = open_source(str(tmp_path))
    assert study.chains[0].seed == 4
    assert "chain.json says seed 4, config.yaml says 0" in study.history.problems[0]


def test_of_several_folders_the_first_that_exists_counts(tmp_path: Path) -> None:
    folder.write_study(tmp_path / "runs" / "demo")
    assert newest_study(str(tmp_path / "absent"), str(tmp_path / "runs")) == (tmp_path / "runs" / "demo").as_posix()
    with pytest.raises(AnalysisError, match="absent/ does not exist"):
        newest_study(str(tmp_path / "absent"), str(tmp_path / "neither"))
