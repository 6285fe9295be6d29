"""What the report of a large study costs: 200 chains of 80 steps and 60 metrics, whose files are made here.

The command runs as it is typed: first, again, and then with the rollouts of all chains beside their histories
(64 samples a step, as the demo's). Prints seconds, and the peak memory of each run.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ablation import config as configuration
from ablation import metrics
from ablation.composing import compose_config

ARMS = ("binary", "shaped", "binary_partial", "threshold")
SEEDS, STEPS, METRICS, GROUPS, SAMPLES, TESTS = 50, 80, 60, 8, 8, 6
SHARED = (metrics.REWARD_TRAIN, metrics.PASS_RATIO, metrics.SOLVED, metrics.ZERO_STD_BINARY, metrics.ZERO_STD_SHAPED)


def make_chain(folder: Path, arm: str, seed: int, draw: random.Random) -> None:
    config = compose_config([f"reward={arm}", f"seed={seed}", "study=large", f"chain.steps={STEPS}"])
    config.arm = arm
    folder.mkdir(parents=True)
    configuration.save(config, folder / "config.yaml")
    link = {"link": 0, "start": "2026-01-01T00:00:00+00:00", "pid": 1, "host": "node1", "execution": {}, "versions": {}}
    link |= {"end": "2026-01-01T01:00:00+00:00", "cause": "complete", "status": "complete", "last_step": STEPS}
    record: dict[str, Any] = {"study": "large", "arm": arm, "seed": seed, "run_id": f"large-{arm}-s{seed}"}
    record |= {"scientific_hash": config.scientific_hash, "steps": STEPS, "status": "complete", "links": [link]}
    (folder / "chain.json").write_text(json.dumps(record))
    with (folder / "history.jsonl").open("w") as file:
        for step in range(1, STEPS + 1):
            row: dict[str, Any] = {metrics.STEP: step, metrics.LINK: 0}
            row |= {name: min(1.0, step / STEPS * draw.random()) for name in SHARED}
            row |= {f"train/metric_{number:02d}": draw.random() for number in range(METRICS - len(SHARED) - 4)}
            row |= {"time/save": 0.1 if step % 5 == 0 else None, "time/startup": 1.0 if step == 1 else None}
            file.write(json.dumps(row) + "\n")
    for step in config.chain.save_grid:
        (folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)


def samples(step: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    for group in range(GROUPS):
        for sample in range(SAMPLES):
            passed = min(TESTS, int(draw.random() * 2 * TESTS * step / STEPS))
            ratio, solved = passed / TESTS, passed == TESTS
            yield {
                "step": step,
                "group": group,
                "sample": sample,
                "task_id": f"task-{draw.randrange(350)}",
                "prompt": "def f(x):\n    " + "p" * 80,
                "completion": "    return x" + "c" * draw.randrange(80),
                "status": "scored" if draw.random() < 0.9 else "syntax_error",
                "passed": passed,
                "total": TESTS,
                "pass_ratio": ratio,
                "solved": solved,
                "tests": json.dumps({f"test_{n}": "passed" if n < passed else "failed" for n in range(TESTS)}),
                "seconds": 0.004,
                "tier": "landlock+seccomp",
                "reward/train": ratio,
                **{f"reward/{arm}": ratio if arm == "shaped" else float(solved) for arm in ARMS},
            }


def add_rollouts(folder: Path, draw: random.Random) -> None:
    (folder / "rollouts").mkdir()
    for first in range(1, STEPS + 1, 10):
        rows = [row for step in range(first, first + 10) for row in samples(step, draw)]
        name = f"steps-{first:06d}-{first + 9:06d}.parquet"
        pq.write_table(pa.Table.from_pylist(rows), folder / "rollouts" / name, compression="zstd")


def report(study: Path) -> str:
    """Seconds of the command, and its peak memory: the largest of all so far, so the order is from small to large."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "analysis.report", str(study)], check=True, capture_output=True)
    seconds = time.perf_counter() - started
    return f"{seconds:.1f} s, {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB at most"


def main() -> None:
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "runs" / "large"
        folders = [study / f"{arm}-s{seed}" for arm in ARMS for seed in range(SEEDS)]
        for folder in folders:
            make_chain(folder, folder.name.split("-")[0], int(folder.name.split("-s")[1]), draw)
        what = f"{len(folders)} chains x {STEPS} steps x {METRICS} metrics, {len(ARMS)} arms"
        print(f"report of {what}, first: {report(study)}", flush=True)
        print(f"again: {report(study)}", flush=True)
        for folder in folders:
            add_rollouts(folder, draw)
        print(f"with {len(folders) * STEPS * GROUPS * SAMPLES:,} rollouts: {report(study)}", flush=True)


if __name__ == "__main__":
    main()
