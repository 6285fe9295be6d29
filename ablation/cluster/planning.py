"""What a study will take, and what it could show, before anything is submitted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablation.chain_files import read_tail
from ablation.cluster.detectable import LEVEL, MIN_SEEDS, POWER, Noise, smallest_difference
from ablation.cluster.disk import chain_bytes, parameters_of
from ablation.cluster.memory import memory_text, refuse_too_large
from ablation.cluster.pace import Pace, minutes, pace_of, refuse_short_time, too_few_links
from ablation.config import Config
from ablation.metrics import STEP
from ablation.printing import table
from ablation.training.chain import chain_dir

HEADER = ("arm", "seed", "steps", "jobs", "hours", "GPU hours", "disk", "folder")


@dataclass(frozen=True)
class ChainPlan:
    """What one chain will take. None is unknown."""

    arm: str
    seed: int
    done: int  # steps that it has
    steps: int
    jobs: int | None  # that it needs; 0 when it is complete
    hours: float | None  # of all these jobs
    gpus: int
    disk: int | None  # bytes at its peak
    folder: str
    pace: Pace
    warning: str


def plan_chain(config: Config, parameters: int | None) -> ChainPlan:
    """Returns what the chain still takes; raises ConfigError when its jobs are too short for a step."""
    folder, pace, cluster = chain_dir(config), pace_of(config), config.cluster
    refuse_short_time(config, pace)
    rows = read_tail(folder / "history.jsonl", []).rows
    done = min(int(rows[-1][STEP]) if rows else 0, config.chain.steps)
    left = config.chain.steps - done
    in_a_job = left if cluster.time_min is None else pace.steps_in(cluster.time_min)
    jobs = 0 if not left else math.ceil(left / in_a_job) if in_a_job else None
    hours = None
    if jobs is not None and (pace.step_s is not None or not left):
        hours = (left * (pace.step_s or 0.0) + jobs * pace.overhead_s) / 3600
    assert config.arm is not None
    return ChainPlan(
        arm=config.arm,
        seed=config.seed,
        done=done,
        steps=config.chain.steps,
        jobs=jobs,
        hours=hours,
        gpus=cluster.gpus,
        disk=None if parameters is None else chain_bytes(config, parameters),
        folder=folder.as_posix(),
        pace=pace,
        warning=too_few_links(config, pace, done),
    )


def plan_text(configs: Sequence[Config]) -> str:
    """Returns the plan of a study for a person: a table of chains, sums, rates, warnings, what it could show."""
    parameters = {str(config.model): parameters_of(config) for config in configs}
    plans = [plan_chain(config, parameters[str(config.model)]) for config in configs]
    rows = [_cells(plan) for plan in plans]
    lines = ["", *table(HEADER, rows), "", _sum(plans), *_rates(configs[0], plans), *_memory(configs, parameters)]
    lines += [plan.warning for plan in plans if plan.warning]
    lines += _shows(configs)
    lines.append("Nothing was trained or submitted; type the same command without plan=true.")
    return "\n".join(lines)


def _memory(configs: Sequence[Config], parameters: Mapping[str, int | None]) -> list[str]:
    """What a GPU will hold, once for all chains that are alike; nothing for chains without GPUs.

    Raises ConfigError where it cannot.
    """
    said: dict[str, None] = {}
    for config in configs:
        count = parameters[str(config.model)]
        if config.cluster.gpus and count is not None:
            refuse_too_large(config, count)
            said[memory_text(config, count)] = None
    return list(said)


def _cells(plan: ChainPlan) -> tuple[str, ...]:
    return (
        plan.arm,
        str(plan.seed),
        f"{plan.done}/{plan.steps}",
        _or_unknown(plan.jobs),
        _or_unknown(plan.hours, ".1f"),
        _or_unknown(None if plan.hours is None else plan.hours * plan.gpus, ".1f"),
        "?" if plan.disk is None else size(plan.disk),
        plan.folder,
    )


def _sum(plans: Sequence[ChainPlan]) -> str:
    known = [plan.hours for plan in plans if plan.hours is not None]
    if not known:
        on_disk = sum(plan.disk or 0 for plan in plans)
        return f"{len(plans)} chains: an unknown time, {size(on_disk) if on_disk else '?'} of disk at the peak."
    hours = sum(known)
    gpu_hours = sum((plan.hours or 0.0) * plan.gpus for plan in plans)
    at_least = "" if len(known) == len(plans) else "at least "
    disk = sum(plan.disk or 0 for plan in plans)
    return (
        f"{len(plans)} chains: {at_least}{hours:.1f} hours of jobs, {at_least}{gpu_hours:.1f} GPU hours, "
        f"{size(disk) if disk else '?'} of disk at the peak."
    )


def _rates(config: Config, plans: Sequence[ChainPlan]) -> list[str]:
    said = []
    for plan in plans:
        pace = plan.pace
        parts = [
            f"{name} {'unknown' if seconds is None else f'{minutes(seconds)} min'}"
            for name, seconds in (("start-up", pace.startup_s), ("a step", pace.step_s), ("a save", pace.save_s))
        ]
        said.append(f"Rate: {', '.join(parts)} ({pace.source}).")
    hint = []
    if any(plan.pace.step_s is None for plan in plans):
        longest = "" if config.cluster.time_min is None else (
            f"; a chain's {config.cluster.links} jobs take at most "
            f"{config.cluster.links * config.cluster.time_min / 60:.1f} hours"
        )  # fmt: skip
        hint = [f"Set cluster.step_min=… for an estimate, or plan again after a first link{longest}."]
    return [*dict.fromkeys(said), *hint]


def _shows(configs: Sequence[Config]) -> list[str]:
    """What the study could show, for the number of seeds that every arm has."""
    arms = {config.arm: {other.seed for other in configs if other.arm == config.arm} for config in configs}
    if len(arms) < 2:
        return ["One arm: no difference to detect."]
    shared = set.intersection(*arms.values())
    tasks, samples = min(config.tasks.test for config in configs), min(c.evaluation.samples for c in configs)
    found, noise = smallest_difference(len(shared), tasks, samples), Noise()
    if found is None:
        return [f"{len(shared)} shared seeds are not a comparison; {MIN_SEEDS} or more give an interval: seed=0,1,2."]
    return [
        f"Detectable difference between arms: {100 * found:.1f} points of a score between 0 and 100 "
        f"({POWER:.0%} power, {LEVEL:.0%} paired t over {len(shared)} seeds, {tasks} test tasks x {samples} samples; "
        f"assumed: mean {noise.rate:.0%}, {100 * noise.between_seeds:g} points between seeds, intra-task "
        f"correlation {noise.clustering:.2f}, of which {noise.shared:.0%} is shared by both arms)."
    ]


def size(count: int) -> str:
    """Returns bytes in the unit of a person: ``12 MB``, ``1.2 TB``; powers of ten, as disks are sold."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def _or_unknown(value: float | None, form: str = "d") -> str:
    return "?" if value is None else format(value, form)
