"""Logs runs with the real W&B client in a process of its own: `log_runs` for tests, and what that process does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Plan = Mapping[str, Any]  # init: arguments of wandb.init; rows: what to log; exit_code; killed: SIGKILL at the end
# by_step: whether verl's global step is given to W&B as well


def log_runs(folder: Path, plans: Sequence[Plan], **environment: str) -> None:
    """Log every plan's rows, one run after another; offline unless the environment says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    base = {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_SILENT": "true"}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(plans),
        env=clean | base | environment,
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=120,
    )
    expected = -signal.SIGKILL if plans[-1].get("killed") else 0
    assert done.returncode == expected, done.stderr


def logs(folder: Path) -> list[Path]:
    """The ``.wandb`` files in a folder, by the time in their folders' names."""
    return sorted(path for path in folder.rglob("*.wandb") if "latest-run" not in path.parts)


def _log(plan: Plan) -> None:
    import wandb

    settings = wandb.Settings(console="off", quiet=True, x_disable_stats=True, x_transaction_log_flush_interval=0.1)
    run = wandb.init(settings=settings, **plan["init"])
    for row in plan["rows"]:
        run.log(row, step=row["training/global_step"] if plan.get("by_step") else None)
    if plan.get("late"):
        run.config.update(plan["late"], allow_val_change=True)
    if plan.get("killed"):
        size, path = -1, logs(Path(os.environ["WANDB_DIR"]))[-1]
        while size != path.stat().st_size:  # until the client has flushed what it has
            size = path.stat().st_size
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    run.finish(exit_code=plan.get("exit_code", 0))


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        _log(each)
