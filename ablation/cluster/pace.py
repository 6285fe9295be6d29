"""How fast a chain goes: measured in earlier links where there are any, else what the configuration says."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablation import metrics
from ablation.chain_files import is_chain, read_tail
from ablation.chain_state import pace
from ablation.config import Config, ConfigError
from ablation.training.chain import chain_dir
from ablation.training.pace import CLOSING_S

_ROWS = 100  # at the end of a history that are looked at


@dataclass(frozen=True)
class Pace:
    """Seconds that parts of a link take; None: unknown, and counted as nothing where times are added."""

    step_s: float | None
    startup_s: float | None  # from the job's begin to its first step
    save_s: float | None  # one full state
    source: str  # where step_s is from, in words

    @property
    def overhead_s(self) -> float:
        """Seconds of every link in which no step is made."""
        return (self.startup_s or 0.0) + (self.save_s or 0.0) + CLOSING_S

    def steps_in(self, time_min: float) -> int | None:
        """Returns how many steps fit into a job of ``time_min`` minutes."""
        if self.step_s is None:
            return None
        return max(0, math.floor((time_min * 60 - self.overhead_s) / self.step_s))


def pace_of(config: Config) -> Pace:
    """Returns the pace of a chain: its own, else that of another one of its study, else the configured one."""
    own, cluster = chain_dir(config), config.cluster
    study = own.parent
    others = sorted(study.iterdir()) if study.is_dir() else []
    for folder in [own, *(other for other in others if other != own and is_chain(other))]:
        rows = read_tail(folder / "history.jsonl", [], _ROWS).rows
        step_s = pace(rows)
        if step_s is not None:
            return Pace(
                step_s,
                _usual(rows, metrics.TIME_STARTUP, cluster.startup_min),
                _usual(rows, metrics.TIME_SAVE, cluster.save_min),
                f"measured in {folder.name}",
            )
    source = "unknown" if cluster.step_min is None else f"cluster.step_min={cluster.step_min:g}"
    return Pace(_seconds(cluster.step_min), _seconds(cluster.startup_min), _seconds(cluster.save_min), source)


def refuse_short_time(config: Config, pace: Pace) -> None:
    """Raises ConfigError when a job ends before it could start, make one step and save it."""
    time_min = config.cluster.time_min
    needed_s = pace.overhead_s + (pace.step_s or 0.0)
    if time_min is None or time_min * 60 >= needed_s:
        return
    parts = {"start-up": pace.startup_s, "one step": pace.step_s, "one save": pace.save_s, "closing": CLOSING_S}
    sums = " + ".join(f"{minutes(seconds)} ({name})" for name, seconds in parts.items() if seconds is not None)
    raise ConfigError(
        f"cluster.time_min={time_min:g} is too short for {config.chain_name}: {sums} = {minutes(needed_s)} min, so no "
        f"job would make a step; set cluster.time_min={math.ceil(needed_s / 60)} or more."
    )


def too_few_links(config: Config, pace: Pace, done: int) -> str:
    """Returns a warning with the arithmetic when all jobs of a chain together do not reach its steps."""
    cluster = config.cluster
    steps = pace.steps_in(cluster.time_min) if cluster.time_min else None
    left = config.chain.steps - done
    if steps is None or steps * cluster.links >= left:
        return ""
    assert cluster.time_min is not None
    assert pace.step_s is not None
    needed = math.ceil(left / max(steps, 1))
    return (
        f"warning: {config.chain_name} will not be complete: {cluster.links} jobs x ({cluster.time_min:g} - "
        f"{minutes(pace.overhead_s)}) min / {minutes(pace.step_s)} min a step = {steps * cluster.links} of {left} "
        f"steps; set cluster.links={needed}, or type the same command again when the jobs have ended."
    )


def minutes(seconds: float) -> str:
    """Returns seconds as minutes with two significant digits or more."""
    value = seconds / 60
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _usual(rows: Sequence[Mapping[str, Any]], metric: str, configured_min: float | None) -> float | None:
    """The median of a metric where rows have it, else the configured minutes, in seconds."""
    measured = [value for row in rows if isinstance(value := row.get(metric), int | float)]
    return statistics.median(measured) if measured else _seconds(configured_min)


def _seconds(value_min: float | None) -> float | None:
    return None if value_min is None else value_min * 60
