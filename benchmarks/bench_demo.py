"""How long the commands of the README take after set-up, and whether the second `make demo` does nothing.

In an empty folder: base model, six chains of 80 steps, evaluation, report, model repos; the same again; then one more
arm pair with the base model at hand. Prints seconds, and the peak memory of a chain with everything it starts
(supervisor, link, scoring worker, W&B), shared pages counted once.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

DEMO = (
    ("ablation.run", "-m", "experiment=demo"),
    ("ablation.evaluate", "runs/demo"),
    ("analysis.report", "runs/demo"),
    ("analysis.publish", "runs/demo"),
)


def seconds(cwd: Path, *arguments: str) -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, check=True, capture_output=True)
    return time.monotonic() - started


def peak_memory_mb(cwd: Path, *arguments: str) -> float:
    """The largest sum of proportional set sizes over the command's processes, sampled twice a second."""
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        total = 0
        for member in family:
            with contextlib.suppress(psutil.Error):
                total += member.memory_full_info().pss
        peak = max(peak, total / 2**20)
        time.sleep(0.5)
    return peak


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        cwd = Path(scratch)
        first = {command[0]: seconds(cwd, *command) for command in DEMO}
        print(f"demo {sum(first.values()):.0f} s:", {name: round(value) for name, value in first.items()}, flush=True)
        print(f"demo again {sum(seconds(cwd, *command) for command in DEMO):.0f} s", flush=True)
        print(f"two arms, base model at hand {seconds(cwd, 'ablation.run', '-m', 'reward=binary,shaped'):.0f} s")
        peak = peak_memory_mb(cwd, "ablation.run", "reward=shaped", "study=memory", "chain.steps=20")
        print(f"peak memory of a chain {peak:.0f} MB")


if __name__ == "__main__":
    main()
