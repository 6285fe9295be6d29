"""What a chain pays for outliving its jobs: the share of its time that states, candidates and history take.

One chain of the tiny model with the default intervals, in this process; what writes is timed within the steps. The
share is of the whole time from the first step's begin to the end of the last, so that it does not depend on how busy
the machine is.
"""

import contextlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ablation import config as configuration
from ablation import metrics
from ablation.composing import compose_config
from ablation.tracking import Tracker
from ablation.training import link, trainer
from ablation.training.base_model import ensure_base_model
from ablation.training.recorder import StepRecorder
from ablation.training.rollouts import RolloutWriter

STEPS = 20  # two states, four candidates


def timed(owner: Any, name: str, what: str, seconds: dict[str, float]) -> None:
    """Replaces a function of ``owner`` by itself with a clock."""
    function: Callable = getattr(owner, name)

    def clocked(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[what] += time.perf_counter() - started

    setattr(owner, name, clocked)


def main() -> None:
    model = [f"model.path={Path(sys.argv[1]).absolute()}"] if sys.argv[1:] else []  # default: the tiny one, made first
    seconds: dict[str, float] = defaultdict(float)
    timed(trainer, "write_state", "states", seconds)
    timed(StepRecorder, "_save_candidate", "candidates", seconds)
    timed(RolloutWriter, "flush", "rollouts", seconds)
    timed(Tracker, "log", "history and W&B", seconds)
    timed(Tracker, "sync", "history and W&B", seconds)
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        config = compose_config(
            ["reward=shaped", "study=saving", f"chain.steps={STEPS}", "evaluation.save_tasks=0", *model]
        )
        config.arm = "shaped"
        ensure_base_model(config)
        chain = Path("runs/saving/shaped-s0")
        chain.mkdir(parents=True)
        configuration.save(config, chain / "config.yaml")
        assert link.train_link(config, chain, 0).status == "complete"
        rows = [json.loads(line) for line in (chain / "history.jsonl").read_text().splitlines()]
    whole = sum(row[metrics.TIME_STEP] + row[metrics.TIME_BETWEEN] for row in rows)
    for what, taken in seconds.items():
        print(f"{what}: {taken:.2f} s of {whole:.1f} s, {taken / whole:.2%}")
    print(f"together {sum(seconds.values()) / whole:.2%} of the time of {STEPS} steps (target: at most 3 %)")


if __name__ == "__main__":
    main()
