"""Synthetic but format-true study folders: what training and evaluation write, without training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

ARMS = ("binary", "shaped")


def config(study: str, arm: str, seed: int, **changes: Any) -> dict[str, Any]:
    """A resolved config; ``changes`` are dotted fields, with __ for the dot."""
    made: dict[str, Any] = {
        "study": study,
        "arm": arm,
        "seed": seed,
        "reward": {"name": arm, "params": {}},
        "tasks": {"name": "branches", "path": "data/branches"},
        "model": {"name": "tiny", "noise": 0.6},
        "grpo": {"lr": 2e-4, "beta": 0.0, "num_generations": 8},
        "sampling": {"temperature": 1.0, "top_p": 1.0},
        "selection": {"span": 5, "skip_first": 1},
        "chain": {"steps": 80, "save_every": 5, "resume_every": 5},
        "generation": {"engine": "transformers"},
        "evaluation": {"samples": 8},
        "runs_dir": "runs",
    }
    for field, value in changes.items():
        *parents, last = field.split("__")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return made


def row(step: int, link: int = 0, **metrics: Any) -> dict[str, Any]:
    """A history row; metrics are named with __ for the slash (reward__train)."""
    return {"step": step, "chain/link": link} | {k.replace("__", "/"): v for k, v in metrics.items()}


def curve(arm: str, seed: int, steps: int, link: int = 0) -> list[dict[str, Any]]:
    """Plausible rows of a chain that learns."""
    rng = np.random.default_rng([ARMS.index(arm) if arm in ARMS else 7, seed])
    rise = 1 / (1 + np.exp(-(np.arange(1, steps + 1) - 30) / 12))
    solved = np.clip(0.03 + (0.22 + 0.02 * seed) * rise + rng.normal(0, 0.03, steps), 0, 1)
    ratio = np.clip(0.25 + (0.3 if arm == "binary" else 0.36) * rise + rng.normal(0, 0.04, steps), 0, 1)
    return [
        row(
            step,
            link,
            reward__train=float(solved[i] if arm == "binary" else ratio[i]),
            score__solved=float(solved[i]),
            score__pass_ratio=float(ratio[i]),
            signal__zero_std_binary=float(np.clip(0.8 - 0.5 * rise[i] + rng.normal(0, 0.06), 0, 1)),
            signal__zero_std_shaped=float(np.clip(0.05 + 0.1 * rise[i] + rng.normal(0, 0.03), 0, 1)),
            time__step=0.8 + 0.1 * float(rng.random()),
        )
        for i, step in enumerate(range(1, steps + 1))
    ]


def write_chain(
    study: Path,
    arm: str,
    seed: int,
    rows: list[dict[str, Any]],
    *,
    save_every: int = 5,
    target: int = 80,
    status: str = "complete",
    record: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A chain's folder with config, chain.json (and ``record`` in it), history, checkpoints and rollouts."""
    folder = study / f"{arm}-s{seed}"
    folder.mkdir(parents=True)
    settings = config(study.name, arm, seed, chain__save_every=save_every, chain__steps=target, **changes)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    links = sorted({item["chain/link"] for item in rows})
    state = {
        "study": study.name,
        "arm": arm,
        "seed": seed,
        "run_id": f"{study.name}-{arm}-{seed}",
        "scientific_hash": f"hash-{arm}",
        "status": status,
        "steps": target,
        "tier": "landlock+seccomp",
        "links": [_link(link, [r["step"] for r in rows if r["chain/link"] == link]) for link in links],
    } | (record or {})
    (folder / "chain.json").write_text(json.dumps(state))
    (folder / "history.jsonl").write_text("".join(json.dumps(item) + "\n" for item in rows))
    last = max((item["step"] for item in rows), default=0)
    for step in range(save_every, last + 1, save_every):
        (folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    write_rollouts(folder, [1, last])
    return folder


def _link(link: int, steps: list[int]) -> dict[str, Any]:
    return {
        "link": link,
        "start": "2026-01-01T00:00:00+00:00",
        "end": "2026-01-01T01:00:00+00:00",
        "cause": "complete",
        "first_step": min(steps),
        "last_step": max(steps),
        "host": "node1",
        "pid": 1,
        "versions": {"torch": "2.13.0", "trl": "1.16.0"},
    }


def write_rollouts(
    folder: Path, steps: list[int], completion: str = "def f(x, k):\n    return x < k", **columns: Any
) -> None:
    """One parquet with a solved and an unsolved sample at each of ``steps``; __ for the slash in ``columns``."""
    (folder / "rollouts").mkdir(exist_ok=True)
    rows = [
        {
            "step": step,
            "group": 0,
            "sample": sample,
            "task_id": f"task-{step % 7}",
            "prompt": 'def f(x, k):\n    """Return x if k is 0."""',
            "completion": completion,
            "status": "scored",
            "passed": 6 if sample else 2,
            "total": 6,
            "pass_ratio": 1.0 if sample else 1 / 3,
            "solved": bool(sample),
            "tests": json.dumps({"test_a": "passed", "test_b": "passed" if sample else "failed"}),
            "seconds": 0.004,
            "tier": "landlock+seccomp",
            "reward/binary": float(sample),
            "reward/shaped": 1.0 if sample else 1 / 3,
            **{name.replace("__", "/"): value for name, value in columns.items()},
        }
        for step in steps
        for sample in (0, 1)
    ]
    pd.DataFrame(rows).to_parquet(folder / "rollouts" / "rollouts-00000.parquet")


def held_out(
    subject: tuple[str, int, int] | None,
    split: str,
    chance: float,
    *,
    roles: str = "pick",
    tasks: int = 20,
    samples: int = 4,
    mode: str = "sampled",
) -> pd.DataFrame:
    """Held-out rows of a checkpoint (arm, seed, step) or of the base (None), solved at about ``chance``."""
    arm, seed, step = subject or (None, None, None)
    rng = np.random.default_rng([int(1000 * chance), seed or 0, step or 0, split == "test"])
    difficulty = rng.beta(2 * chance, 2 * (1 - chance), tasks)
    solved = rng.random((tasks, samples)) < difficulty[:, None]
    passed = np.where(solved, 6, rng.integers(0, 5, (tasks, samples)))
    count = tasks * samples
    return pd.DataFrame(
        {
            "subject": f"{arm}-s{seed}@{step}" if subject else "base-abc123",
            "kind": "checkpoint" if subject else "base",
            "arm": pd.Series([arm] * count, dtype="str"),
            "seed": pd.Series([seed] * count, dtype="Int64"),
            "step": pd.Series([step] * count, dtype="Int64"),
            "roles": roles if subject else "base",
            "split": split,
            "mode": mode,
            "task_id": [f"{split}-{task:03d}" for task in range(tasks) for _ in range(samples)],
            "sample": list(range(samples)) * tasks,
            "status": "scored",
            "passed": passed.ravel(),
            "total": 6,
            "pass_ratio": passed.ravel() / 6,
            "solved": solved.ravel(),
        }
    )


def write_held_out(study: Path, *frames: pd.DataFrame) -> None:
    """One parquet for each subject and split."""
    together = pd.concat(frames, ignore_index=True)
    for (split, subject), frame in together.groupby(["split", "subject"]):
        folder = study / "evaluation" / str(split)
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / f"{subject}.parquet", index=False)


def write_study(study: Path, arms: tuple[str, ...] = ARMS, seeds: int = 3, steps: int = 80, **sizes: int) -> Path:
    """A finished study, evaluated at every chain's pick and last checkpoint."""
    from analysis.selection import Rule, pick

    frames = [held_out(None, split, 0.05, **sizes) for split in ("validation", "test")]
    for arm in arms:
        for seed in range(seeds):
            rows = curve(arm, seed, steps)
            write_chain(study, arm, seed, rows, target=steps)
            rewards = {item["step"]: item["reward/train"] for item in rows}
            picked = pick(rewards, range(5, steps + 1, 5), Rule()).step
            chance = (0.25 if arm == "binary" else 0.32) + 0.01 * seed
            for split in ("validation", "test"):
                for step in sorted({picked, steps}):
                    roles = ",".join(r for r, s in (("pick", picked), ("last", steps)) if s == step)
                    frames.append(held_out((arm, seed, step), split, chance, roles=roles, **sizes))
    write_held_out(study, *frames)
    return study
