"""Where rows go: ``history.jsonl`` first, W&B as its mirror.

Nothing that W&B does can stop training or lose a row: its calls are guarded, also against never coming back, and
after a failure the mirror stays off for the rest of the link.
"""

import contextlib
import json
import logging
import math
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from ablation import metrics
from ablation.config import Config
from analysis.history import parse_lines, stitch

log = logging.getLogger(__name__)

_GENERATIONS = 20  # ids to try when a server refuses ids that were deleted
_FINISH_TIMEOUT_S = 60  # in which W&B's process sends what it has; the client waits for that process without limit
_INIT_TIMEOUT_S = 90  # W&B's own, for a server that does not answer
_ANSWER_S = 120.0  # beyond such waits of W&B's own, after which its process is taken to hang


class Tracker:
    """Records one row a step for one link of a chain."""

    def __init__(self, config: Config, chain_dir: Path, *, link: int, first_step: int) -> None:
        self._link = link
        path = chain_dir / "history.jsonl"
        self._file = _open_history(path)
        self.rewards = _rewards_before(path, first_step)  # the training reward by step, stitched, this link's too
        self._mirror = WandbMirror(config, chain_dir, link)

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        """Appends the row and hands it to the system before returning; then mirrors it."""
        row = {metrics.STEP: step, metrics.LINK: self._link, **_finite(values)}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rewards[step] = row.get(metrics.REWARD_TRAIN)
        self._mirror.log(row)

    def sync(self) -> None:
        """Returns when every row is on disk."""
        os.fsync(self._file.fileno())

    def close(self, summary: Mapping[str, Any], *, failed: bool = False) -> None:
        self.sync()
        self._file.close()
        self._mirror.finish(summary, failed=failed)


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    # JSON has no NaN: what is not a number is null, as is what was not measured.
    return {key: None if value is None or not math.isfinite(value) else value for key, value in values.items()}


def _open_history(path: Path) -> Any:
    """Opens the history to append to, without the torn last line that a killed link may have left."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)
    return path.open("a", encoding="utf-8")


def _rewards_before(path: Path, first_step: int) -> dict[int, float | None]:
    """Returns the training reward of each step before ``first_step``, stitched."""
    parsed = parse_lines(path.read_bytes(), path.name)
    for problem in parsed.problems:
        log.warning("%s", problem)
    rows = [row for row in stitch(parsed.rows) if row.step < first_step]
    return {row.step: row.values.get(metrics.REWARD_TRAIN) for row in rows}


class WandbMirror:
    """One W&B run for the chain, resumed by every link under the same id."""

    def __init__(self, config: Config, chain_dir: Path, link: int) -> None:
        self._run: Any = None
        if config.tracking.mode != "off":
            self._guard(lambda: self._start(config, chain_dir, link), _INIT_TIMEOUT_S)

    def log(self, row: Mapping[str, Any]) -> None:
        if self._run is not None:
            known = {key: value for key, value in row.items() if value is not None}
            self._guard(lambda: self._run.log(known))

    def finish(self, summary: Mapping[str, Any], *, failed: bool) -> None:
        if self._run is not None:
            self._guard(lambda: self._run.summary.update(dict(summary)))
        if self._run is not None:
            self._guard(lambda: self._run.finish(exit_code=int(failed)), _FINISH_TIMEOUT_S)

    def _guard(self, action: Callable[[], Any], waits_s: float = 0.0) -> None:
        hangs = threading.Timer(waits_s + _ANSWER_S, _end_wandb_process)
        hangs.daemon = True
        hangs.start()
        try:
            action()
        except Exception as error:  # whatever W&B raises, training goes on
            log.warning("W&B is off for the rest of this link (%s: %s); history.jsonl has every row.",
                        type(error).__name__, error)  # fmt: skip
            self._run = None
        finally:
            hangs.cancel()

    def _start(self, config: Config, chain_dir: Path, link: int) -> None:
        import wandb

        mode = config.tracking.mode
        if mode == "online":
            try:
                self._run = self._init(config, chain_dir, link, "online")
            except Exception as error:  # no network, no account, a refusal: offline needs none of them
                log.warning("W&B cannot be reached (%s); this link is tracked offline.", error)
                wandb.teardown()  # its process would go on holding the run's id
                mode = "offline"
        if mode == "offline":
            self._run = self._init(config, chain_dir, link, "offline")
        self._run.define_metric(metrics.STEP)
        self._run.define_metric("*", step_metric=metrics.STEP)

    def _init(self, config: Config, chain_dir: Path, link: int, mode: str) -> Any:
        import wandb

        for generation in range(1, _GENERATIONS + 1):
            try:
                return wandb.init(
                    mode=mode,  # type: ignore[arg-type]
                    dir=str(chain_dir),
                    project=config.tracking.project,
                    entity=config.tracking.entity,
                    id=run_id(config, generation),
                    name=config.chain_name,
                    group=config.arm,
                    job_type="train",
                    tags=[
                        tag[:64] for tag in (config.study, config.tasks.name, config.model.name, f"seed-{config.seed}")
                    ],
                    config=asdict(config) | {"scientific_hash": config.scientific_hash, "link": link},
                    resume="allow",
                    settings=wandb.Settings(
                        console="off",
                        quiet=True,
                        finish_timeout=_FINISH_TIMEOUT_S,
                        x_disable_stats=mode == "offline",
                    ),
                )
            except wandb.errors.CommError as error:
                if "deleted" not in str(error):
                    raise
                log.warning("W&B refuses the id %s, which was deleted.", run_id(config, generation))
        raise RuntimeError(f"W&B refused {_GENERATIONS} run ids; choose another study or tracking.project")


def _end_wandb_process() -> None:
    """Ends this process's wandb-core, so that calls that wait for it raise, here and when Python exits."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.name().startswith("wandb-core"):
                log.warning("W&B's process %d does not answer and is ended.", child.pid)
                child.kill()


def run_id(config: Config, generation: int = 1) -> str:
    """Returns the W&B id of the chain, the same for all of its links.

    ``generation`` counts the ids that a server refused for ever because their runs were deleted.
    """
    base = f"{config.study}-{config.chain_name}-{config.scientific_hash}"
    return base if generation == 1 else f"{base}-g{generation}"
