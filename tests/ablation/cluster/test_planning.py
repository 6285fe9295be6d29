import json
from pathlib import Path

import pytest

from ablation import metrics
from ablation.cluster.pace import Pace, pace_of, refuse_short_time, too_few_links
from ablation.cluster.planning import plan_chain, plan_text
from ablation.composing import compose_config
from ablation.config import Config, ConfigError
from tests.conftest import command


def chain(tmp_path: Path, *overrides: str) -> Config:
    config = compose_config(["cluster=slurm", f"runs_dir={tmp_path}", "study=planned", *overrides])
    config.arm = config.reward.name
    return config


def with_history(config: Config, steps: int, seconds: float) -> None:
    folder = Path(config.runs_dir) / config.study / config.chain_name
    folder.mkdir(parents=True)
    rows = [{"step": step, "chain/link": 0, "time/step": seconds, "time/between": 0.0} for step in range(1, steps + 1)]
    rows[0][metrics.TIME_STARTUP] = 300.0
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_eighty_steps_of_fifty_minutes_are_six_jobs_of_twelve_hours(tmp_path: Path):
    config = chain(tmp_path, "cluster.step_min=50", "cluster.startup_min=11", "cluster.save_min=8",
                   "cluster.links=6", "cluster.gpus_per_node=4", "cluster.nodes=2", "cluster.ranks=8")  # fmt: skip
    plan = plan_chain(config, parameters=8_000_000_000)
    assert (plan.jobs, plan.gpus, plan.warning) == (
        6,
        8,
        "",
    )  # 14 steps in 700 min and 50 s, of which closing takes 10 s
    assert plan.hours == pytest.approx((80 * 50 + 6 * (19 + 1 / 6)) / 60)
    # 16 candidates of 32 GB, and two full states of 96 GB beside the one that is being written.
    assert plan.disk == pytest.approx(16 * 32e9 + 3 * 96e9, rel=1e-3)


def test_jobs_that_do_not_reach_the_steps_are_warned_of_with_the_arithmetic(tmp_path: Path):
    config = chain(tmp_path, "cluster.step_min=50", "cluster.startup_min=11", "cluster.save_min=8", "cluster.links=3")
    warning = plan_chain(config, None).warning
    assert "binary-s0 will not be complete: 3 jobs x (720 - 19) min / 50 min a step = 42 of 80 steps" in warning
    assert "set cluster.links=6" in warning
    assert too_few_links(config, pace_of(config), done=40) == ""


def test_a_limit_below_start_up_one_step_and_one_save_is_refused(tmp_path: Path):
    config = chain(tmp_path, "cluster.step_min=50", "cluster.startup_min=11", "cluster.save_min=8")
    config.cluster.time_min = 69
    with pytest.raises(ConfigError, match=r"11 \(start-up\) \+ 50 \(one step\) \+ 8 \(one save\).* = 69 min.*=70 or"):
        refuse_short_time(config, pace_of(config))
    config.cluster.time_min = 70
    refuse_short_time(config, pace_of(config))


def test_what_an_earlier_link_measured_counts_more_than_what_was_assumed(tmp_path: Path):
    config, other = chain(tmp_path, "cluster.step_min=1"), chain(tmp_path, "cluster.step_min=1", "seed=1")
    with_history(config, steps=20, seconds=600.0)
    assert pace_of(config) == Pace(600.0, 300.0, None, "measured in binary-s0")
    assert pace_of(other) == pace_of(config)  # the next best thing: another chain of the study
    plan = plan_chain(config, None)
    assert (plan.done, plan.jobs) == (20, 1)
    assert plan.hours == pytest.approx((60 * 600 + 300 + 10) / 3600)


def test_an_unknown_rate_is_called_unknown(tmp_path: Path):
    text = plan_text([chain(tmp_path, "reward=binary"), chain(tmp_path, "reward=shaped")])
    assert "start-up unknown, a step unknown, a save unknown (unknown)" in text
    assert "Set cluster.step_min=… for an estimate" in text
    assert "a chain's 4 jobs take at most 48.0 hours" in text
    assert "1 shared seeds are not a comparison" in text


def test_the_plan_of_a_study_says_what_it_could_show(tmp_path: Path):
    configs = [
        chain(tmp_path, f"reward={reward}", f"seed={seed}") for reward in ("binary", "shaped") for seed in range(3)
    ]
    text = plan_text(configs)
    assert "6 chains" in text
    assert "80% power, 95% paired t over 3 seeds, 100 test tasks x 5 samples" in text
    assert not list(tmp_path.iterdir())  # nothing was made


@pytest.mark.parametrize(
    ("override", "found", "advice"),
    [
        ("cluster.time_min=0", "cluster.time_min=0", "cluster.time_min=0.1"),
        ("cluster.time_min=null", "cluster.time_min is not set", "cluster.time_min=720"),
        ("cluster.links=0", "cluster.links=0", "cluster.links=1"),
        ("cluster.kind=slrum", "cluster.kind=slrum", "did you mean cluster.kind=slurm?"),
    ],
)
def test_cluster_values_that_cannot_be_used_are_refused_in_one_sentence(override: str, found: str, advice: str):
    with pytest.raises(ConfigError) as refusal:
        compose_config(["cluster=slurm", override])
    assert found in str(refusal.value)
    assert advice in str(refusal.value)


@pytest.mark.parametrize(
    ("gres", "per_node", "gpus"),
    [("gpu:4", None, 8), ("gpu:a100:2", None, 4), ("gpu", None, 2), ("ssd:1", None, 0), (None, 3, 6), (None, None, 0)],
)
def test_gpus_are_counted_from_either_key(gres: str | None, per_node: int | None, gpus: int):
    cluster = compose_config(["cluster=slurm", "cluster.nodes=2", "cluster.ranks=2"]).cluster
    cluster.gres, cluster.gpus_per_node = gres, per_node
    assert cluster.gpus == gpus


def test_further_options_are_typed_one_by_one(tmp_path: Path):
    typed = ("ablation.run", "cluster=slurm", "plan=true", "cluster.step_min=1")
    refused = command(*typed, "cluster.sbatch={hold: true}", cwd=tmp_path)
    assert refused.returncode == 2
    assert "type +cluster.sbatch.NAME=VALUE" in refused.stderr
    planned = command(*typed, "+cluster.sbatch.hold=true", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "binary  0     0/80   1     1.3" in planned.stdout
