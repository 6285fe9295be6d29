from typing import Any

from analysis.sources.wandb_runs import Run, study_of


def run(run_id: str, reward: float = 0.5, **about: Any) -> Run:
    item = {"_step": 0.0, "train/global_step": 1.0, "train/reward": reward}
    defaults: dict[str, Any] = {
        "name": "", "project": "p", "group": "", "job_type": "", "tags": (), "config": {},
        "status": "complete", "links": (), "parts": ([item],),
    }  # fmt: skip
    return Run(run_id, **(defaults | about))


def chains(*runs: Run) -> list[tuple[str, int, str]]:
    return [(chain.arm, chain.seed, chain.run_id) for chain in study_of(runs, "folder").chains]


def problems(*runs: Run) -> tuple[str, ...]:
    return study_of(runs, "folder").history.problems


def test_an_arm_is_the_group_and_its_seed_that_of_the_config() -> None:
    runs = [run(f"{group}{seed}", group=group, config={"seed": seed}) for group in "ba" for seed in (11, 2)]
    assert chains(*runs) == [("a", 2, "a2"), ("a", 11, "a11"), ("b", 2, "b2"), ("b", 11, "b11")]
    assert problems(*runs) == ()


def test_equal_or_absent_seeds_are_counted_in_the_order_of_start_and_told() -> None:
    runs = [run("x", group="a", config={"seed": 42}), run("y", group="a", config={"seed": 42}), run("z", group="a")]
    assert chains(*runs) == [("a", 0, "x"), ("a", 1, "y"), ("a", 2, "z")]
    assert "(42 in 2 runs, none in 1 run): they are counted from 0" in problems(*runs)[0]


def test_one_seed_for_all_runs_of_an_arm_is_no_seed() -> None:
    runs = [run("x", group="a", config={"seed": 42}), run("y", group="a", config={"seed": 42})]
    assert chains(*runs) == [("a", 0, "x"), ("a", 1, "y")]


def test_a_run_without_a_group_is_an_arm_by_its_whole_name_or_id() -> None:
    runs = [run("id1", name="grpo-shaped-s3", config={"seed": 1}), run("id2", config={"seed": 1})]
    assert chains(*runs) == [("grpo-shaped-s3", 1, "id1"), ("id2", 1, "id2")]
    assert "2 runs name no group" in problems(*runs)[0]
    assert "WANDB_RUN_GROUP" in problems(*runs)[0]


def test_runs_of_several_job_types_are_not_one_arm() -> None:
    runs = [run("t", group="a", job_type="train", config={"seed": 0}), run("e", group="a", config={"seed": 0})]
    assert chains(*runs) == [("a/no job type", 0, "e"), ("a/train", 0, "t")]


def test_seeds_are_where_the_trainer_keeps_them() -> None:
    item = {"_step": 1.0, "training/global_step": 1.0, "critic/rewards/mean": 1.0}
    verl = run("v", group="g", config={"data": {"seed": 9}, "seed": True}, parts=([item],))
    assert chains(verl) == [("g", 9, "v")]


def test_our_own_runs_have_study_arm_and_length_from_their_config() -> None:
    item = {"_step": 0.0, "step": 1.0, "chain/link": 0.0, "reward/train": 0.5}
    config = {"study": "demo", "arm": "shaped", "seed": 3, "chain": {"steps": 80, "save_every": 5}}
    study = study_of([run("r", group="other", config=config, parts=([item],))], "folder")
    [chain] = study.chains
    assert (study.name, chain.arm, chain.seed, chain.target_steps, chain.save_every) == ("demo", "shaped", 3, 80, 5)


def test_what_wandb_says_of_a_run_and_the_metric_of_its_reward_are_kept() -> None:
    [chain] = study_of([run("r", group="g", job_type="train", tags=("x", "y"))], "folder").chains
    assert (chain.group, chain.job_type, chain.tags, chain.reward) == ("g", "train", ("x", "y"), "train/reward")


def test_projects_are_studies_and_arms_of_two_of_them_are_told_apart() -> None:
    runs = [run(project, project=project, group="a", config={"seed": 0}) for project in ("one", "two")]
    study = study_of(runs, "folder")
    assert (study.name, study.arms) == ("one + two", ("one/a", "two/a"))
    assert study_of([run("r", project="", group="a", config={"seed": 0})], "folder").name == "folder"


def test_a_run_without_rows_is_a_chain_and_told() -> None:
    empty = run("r", group="a", config={"seed": 0}, parts=([],))
    assert chains(empty) == [("a", 0, "r")]
    assert problems(empty) == ("Run r (a-s0) has no row that could be kept.",)
