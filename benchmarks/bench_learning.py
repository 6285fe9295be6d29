"""Whether the curves rise for real: held-out scores against the base model, and the signal on a weak base.

``python benchmarks/bench_learning.py [runs/demo]`` reads a finished demo (and trains one in ./runs if there is
none), then trains the first 20 steps on ``tiny_weak``.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pandas as pd

WEAK = Path("runs/bench-weak")


def command(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    study = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
    if not (study / "evaluation" / "test").is_dir():
        command("ablation.run", "-m", "experiment=demo", f"study={study.name}")
        command("ablation.evaluate", str(study))
    scores = pd.concat([pd.read_parquet(path) for path in (study / "evaluation" / "test").glob("*.parquet")])
    means = scores[scores["mode"] == "sampled"].astype({"solved": float, "pass_ratio": float})
    means = means.groupby(["kind", "subject", "roles"])[["solved", "pass_ratio"]].mean()
    base = means.loc["base"].iloc[0]
    print(f"base: solved {base.solved:.3f}, pass ratio {base.pass_ratio:.3f} (test split, T = 1)")
    for (subject, roles), row in means.loc["checkpoint"].iterrows():
        print(f"{subject} ({roles}): solved {row.solved:.3f}, {row.solved / base.solved:.1f} x base")
    steps = ("chain.steps=20", f"study={WEAK.name}")
    command("ablation.run", "-m", "model=tiny_weak", "reward=binary,shaped", "seed=0,1,2", *steps)
    for reward in ("binary", "shaped"):
        flat = [
            statistics.fmean(json.loads(line)[f"signal/zero_std_{reward}"] for line in path.read_text().splitlines())
            for path in sorted(WEAK.glob("*/history.jsonl"))
        ]
        print(f"tiny_weak, steps 1-20: groups without signal under {reward}: {min(flat):.3f} to {max(flat):.3f}")


if __name__ == "__main__":
    main()
