"""A few rollouts of a chain for a person to read: early and late ones, solved and not."""

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from ablation import metrics
from analysis.sources.study import Chain

_KEYS = ["step", "group", "sample"]
_COLUMNS = [*_KEYS, "task_id", "prompt", "completion", "status", "passed", "total", "solved", "tests"]


class Rollout(NamedTuple):
    """One training sample with its verdict; ``when`` is "first" or "last"."""

    arm: str
    seed: int
    when: str
    step: int
    task_id: str
    prompt: str
    completion: str
    status: str
    passed: int | None
    total: int
    solved: bool | None
    tests: str  # JSON: {id: outcome}
    reward: float | None = None  # what the arm trained on; None without a score, or in files that lack it


def sample_rollouts(chain: Chain, window: int = 5) -> tuple[list[Rollout], list[str]]:
    """Up to four rollouts, and sentences on files that could not be read.

    One solved and one unsolved from the chain's first ``window`` steps (the earliest there), and the same
    from its last (the latest there). Always the same ones for the same files.
    """
    if chain.folder is None:
        return [], []
    problems: list[str] = []
    steps: dict[Path, pd.Series] = {}
    for path in sorted((chain.folder / "rollouts").glob("*.parquet")):
        try:
            steps[path] = pd.read_parquet(path, columns=["step"])["step"]
        except (OSError, ValueError, KeyError) as error:
            problems.append(f"{chain.name}/rollouts/{path.name} cannot be read ({str(error).splitlines()[0]}).")
    filled = {path: column for path, column in steps.items() if len(column)}
    if not filled:
        return [], [*problems, f"{chain.name} has no readable rollouts, so none are shown."]
    first = min(int(column.min()) for column in filled.values())
    last = max(int(column.max()) for column in filled.values())
    early = _rows(filled, first, first + window - 1)
    late = _rows(filled, last - window + 1, last).iloc[::-1]
    return [*_choose(chain, "first", early), *_choose(chain, "last", late)], problems


def _rows(steps: dict[Path, pd.Series], low: int, high: int) -> pd.DataFrame:
    """Rows with low <= step <= high; where links overlap, the file that sorts last wins."""
    files = [path for path, column in steps.items() if column.between(low, high).any()]
    frame = pd.concat([_read(path) for path in files], ignore_index=True)
    frame = frame[frame["step"].between(low, high)].drop_duplicates(_KEYS, keep="last")
    return frame.sort_values(_KEYS, kind="stable", ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    earned = [metrics.REWARD_TRAIN] if metrics.REWARD_TRAIN in pq.read_schema(path).names else []
    frame = pd.read_parquet(path, columns=[*_COLUMNS, *earned])
    return frame.assign(earned=frame[earned[0]].astype(float) if earned else math.nan)


def _choose(chain: Chain, when: str, rows: pd.DataFrame) -> list[Rollout]:
    solved = rows["solved"].astype("boolean").fillna(False).astype(bool)
    picked = pd.concat([rows[solved].head(1), rows[~solved].head(1)])
    return [
        Rollout(
            arm=chain.arm,
            seed=chain.seed,
            when=when,
            step=int(row["step"]),
            task_id=str(row["task_id"]),
            prompt=str(row["prompt"]),
            completion=str(row["completion"]),
            status=str(row["status"]),
            passed=None if pd.isna(row["passed"]) else int(row["passed"]),
            total=0 if pd.isna(row["total"]) else int(row["total"]),
            solved=None if pd.isna(row["solved"]) else bool(row["solved"]),
            tests=str(row["tests"]),
            reward=None if pd.isna(row["earned"]) else float(row["earned"]),
        )
        for row in picked.to_dict("records")
    ]
