"""The stored rollouts of a chain: prompt, completion, verdict and every reward of every sample.

One parquet file for the steps between two states, written before the later state counts: a link that dies in
between loses only the rollouts of steps that the next link does again.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ablation import durable
from ablation.training.samples import Sample

_FILE = re.compile(r"steps-(\d+)-(\d+)\.parquet")


class RolloutWriter:
    """Collects the samples of steps and writes them in few large files."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """``first_step``: the link's first; files that reach it or go beyond it are of an abandoned branch."""
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            match = _FILE.fullmatch(path.name)
            if match is None or int(match[2]) >= first_step:
                path.unlink()

    def add(self, step: int, samples: Sequence[Sample]) -> None:
        self._rows.extend(_row(step, sample) for sample in samples)

    def flush(self) -> None:
        """Writes what was added since the last call; complete or absent."""
        if not self._rows:
            return
        first, last = self._rows[0]["step"], self._rows[-1]["step"]
        partial = self._folder / ".partial"
        pq.write_table(pa.Table.from_pylist(self._rows), partial, compression="zstd")
        durable.sync(partial)
        durable.move(partial, self._folder / f"steps-{first:06d}-{last:06d}.parquet")
        self._rows.clear()


def _row(step: int, sample: Sample) -> dict[str, Any]:
    verdict = sample.verdict
    return {
        "step": step,
        "group": sample.group,
        "sample": sample.sample,
        "task_id": verdict.task_id,
        "prompt": sample.prompt,
        "completion": sample.completion,
        "status": verdict.status,
        "passed": verdict.passed,
        "total": verdict.total,
        "pass_ratio": verdict.pass_ratio,
        "solved": verdict.solved,
        "tests": json.dumps(dict(verdict.tests)),
        "seconds": verdict.seconds,
        "tier": verdict.tier,
        "reward/train": sample.train_reward,
        **{f"reward/{name}": value for name, value in sample.rewards.items()},
    }
