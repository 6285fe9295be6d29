"""How fast offline W&B logs are read, against `wandb leet inspect --json`, the one reader that W&B ships.

Both read one log of 10,000 steps x 60 metrics, which the W&B client writes first, in processes of their own and
in turns; ours ends with rows of numbers, theirs with lines of JSON that nobody has parsed. Prints the ratio.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

STEPS, METRICS, TURNS = 10_000, 60, 5
WRITE = f"""
import random, wandb
settings = wandb.Settings(console="off", quiet=True, x_disable_stats=True)
run = wandb.init(mode="offline", project="bench", id="bench", group="arm", config={{"seed": 0}}, settings=settings)
for step in range({STEPS}):
    run.log({{"train/global_step": step, **{{f"metric/{{i}}": random.random() for i in range({METRICS})}}}})
run.finish()
"""
READ = """
import sys
from pathlib import Path
from analysis.sources.wandb_items import stitch_items
from analysis.sources.wandb_job import read_job
rows = stitch_items([read_job(Path(sys.argv[1])).items], "bench").rows
print(len(rows), sum(len(row.values) for row in rows))
"""


class Taken(NamedTuple):
    """Seconds of wall time, and of all cores together."""

    wall: float
    cpu: float


def measured(command: list[str]) -> tuple[Taken, str]:
    """What a command took, its start included, and what it printed."""
    begun, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(time.perf_counter() - begun, cpu), done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", WRITE], cwd=folder, check=True, env=os.environ | {"WANDB_SILENT": "true"})
        log = next(path for path in Path(folder).rglob("*.wandb") if "latest-run" not in path.parts)
        theirs = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(log)]
        ours = [sys.executable, "-c", READ, str(log)]
        taken: dict[str, list[Taken]] = {"ours": [], "leet": []}
        for _ in range(TURNS):
            for side, command in (("ours", ours), ("leet", theirs)):
                spent, printed = measured(command)
                taken[side].append(spent)
                if side == "ours" and printed.split() != [str(STEPS), str(STEPS * METRICS)]:
                    sys.exit(f"read {printed.strip()} rows and values where {STEPS} and {STEPS * METRICS} were logged")
                if side == "leet" and printed.count('"type":"history"') != STEPS:
                    sys.exit(f"wandb leet printed {printed.count(chr(10))} records without the {STEPS} of the history")
        print(f"{STEPS} steps x {METRICS} metrics, {log.stat().st_size / 1e6:.0f} MB, medians of {TURNS} in turns:")
        for kind in Taken._fields:
            ours_s, leet_s = (statistics.median(getattr(t, kind) for t in taken[side]) for side in ("ours", "leet"))
            print(f"{kind}: ours {ours_s:.2f} s, wandb leet inspect --json {leet_s:.2f} s, ratio {leet_s / ours_s:.1f}")


if __name__ == "__main__":
    main()
