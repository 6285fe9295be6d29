"""What the status of a large study costs: 200 chains of 80 steps, whose files are made here.

In each round the command runs as it is typed, then chains are read in this process in two ways that take turns:
the end of each history, as the command does, and each history whole. Prints medians, and the ratio of the two.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ablation import metrics
from ablation.chain_files import RECENT, read_tail
from ablation.chain_state import read_chain
from ablation.status import chain_folders

CHAINS, STEPS, ROUNDS = 200, 80, 9
METRICS = 43  # in a row, as the demo's have, 1.5 kB together


def make(study: Path) -> None:
    link = {"link": 0, "start": "2026-01-01T00:00:00+00:00", "pid": 1, "host": "node1", "execution": {}, "versions": {}}
    ended = {"end": "2026-01-01T01:00:00+00:00", "cause": "complete"}
    names = [f"train/metric_{number:02d}" for number in range(METRICS - 4)]
    for seed in range(CHAINS):
        folder = study / f"binary-s{seed}"
        folder.mkdir(parents=True)
        done = seed % 2 == 0
        record = {"study": study.name, "arm": "binary", "seed": seed, "steps": STEPS, "command": "python"}
        record |= {"status": "complete" if done else "running", "links": [link | (ended if done else {})]}
        (folder / "chain.json").write_text(json.dumps(record))
        values = dict.fromkeys(names, 0.123456789012345)
        values |= {metrics.TIME_STEP: 1.2, metrics.TIME_BETWEEN: 0.01, metrics.REWARD_EMA: 0.4, metrics.SOLVED: 0.1}
        rows = (json.dumps({metrics.STEP: step, metrics.LINK: 0} | values) + "\n" for step in range(1, STEPS + 1))
        (folder / "history.jsonl").write_text("".join(rows))


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def whole(folder: Path) -> list[dict]:
    """The last rows of a history of which every line is parsed."""
    with (folder / "history.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file][-RECENT:]


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "runs" / "study"
        make(study)
        folders = chain_folders(study)
        ends = {folder: list(read_tail(folder / "history.jsonl", []).rows) for folder in folders}
        if ends != {folder: whole(folder) for folder in folders}:
            raise SystemExit("The ends of the histories differ from the histories read whole; expected equal rows.")
        typed = [sys.executable, "-m", "ablation.status", str(study)]
        sides: dict[str, Callable[[], object]] = {
            "the command": lambda: subprocess.run(typed, check=True, capture_output=True),
            "all chains read": lambda: [read_chain(f, now_s=time.time(), host=socket.gethostname()) for f in folders],
            "histories, their ends": lambda: [read_tail(folder / "history.jsonl", []) for folder in folders],
            "histories, whole": lambda: [whole(folder) for folder in folders],
        }
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, action in sides.items():
                taken[name].append(seconds(action))
    median = {name: statistics.median(values) for name, values in taken.items()}
    for name, value in median.items():
        print(f"{name}: {value:.3f} s ({CHAINS} chains x {STEPS} steps, median of {ROUNDS})")
    print(f"histories whole / their ends: ratio {median['histories, whole'] / median['histories, their ends']:.1f}")


if __name__ == "__main__":
    main()
