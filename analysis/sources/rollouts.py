"""The stored rollouts of a chain: all of them without their texts, and a few for a person to read."""

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
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


_LIGHT = [*_KEYS, "task_id", "status", "pass_ratio", "solved"]


class Light(NamedTuple):
    """All samples of a chain without texts, and sentences on files that could not be read.

    ``frame`` [samples] has the columns step, group, sample, task_id, status, pass_ratio, solved (NaN: no score),
    characters (of the completion) and reward/<name> for every reward that the files keep.
    """

    frame: pd.DataFrame
    problems: tuple[str, ...]


def has_rollouts(chain: Chain) -> bool:
    """Whether a chain has a file of rollouts, readable or not."""
    return bool(_files(chain))


def read_rollouts(chain: Chain) -> Light:
    """Every sample of a chain once; where files overlap, the one that sorts last counts."""
    tables: list[pa.Table] = []
    problems: list[str] = []
    for path in _files(chain):
        try:
            tables.append(_light(path))
        except _ODD as error:
            problems.append(_unreadable(chain, path, error))
    try:
        return Light(_joined(tables), tuple(problems))
    except _ODD as error:
        problems.append(f"{chain.name}/rollouts cannot be read together ({str(error).splitlines()[0]}).")
        return Light(pd.DataFrame(), tuple(problems))


_ODD = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)  # what files that someone changed come to


def _joined(tables: list[pa.Table]) -> pd.DataFrame:
    frame = pa.concat_tables(tables, promote_options="permissive").to_pandas() if tables else pd.DataFrame()
    if len(frame):
        frame[_KEYS] = frame[_KEYS].astype("int64")
        frame = frame.drop_duplicates(_KEYS, keep="last").sort_values(_KEYS, kind="stable", ignore_index=True)
        frame[["pass_ratio", "solved"]] = frame[["pass_ratio", "solved"]].astype(float)
    return frame


def _light(path: Path) -> pa.Table:
    file = pq.ParquetFile(path)
    rewards = [name for name in file.schema_arrow.names if name.startswith("reward/") and name != metrics.REWARD_TRAIN]
    absent = sorted({*_LIGHT, "completion"} - set(file.schema_arrow.names))
    if absent:
        raise ValueError(f"it has no column {', '.join(absent)}")
    table = file.read(columns=[*_LIGHT, *rewards, "completion"])
    characters = pc.utf8_length(table["completion"])
    table = table.drop_columns(["completion"]).append_column("characters", characters)
    for name in rewards:  # which are null, not numbers, in a file where nothing was scored
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.float64()))
    return table


def _files(chain: Chain) -> list[Path]:
    return sorted((chain.folder / "rollouts").glob("*.parquet")) if chain.folder else []


def _unreadable(chain: Chain, path: Path, error: Exception) -> str:
    return f"{chain.name}/rollouts/{path.name} cannot be read ({str(error).splitlines()[0]})."


def sample_rollouts(chain: Chain, window: int = 5) -> tuple[list[Rollout], list[str]]:
    """Up to four rollouts, and sentences on files that could not be read.

    One solved and one unsolved from the chain's first ``window`` steps (the earliest there), and the same
    from its last (the latest there). Always the same ones for the same files.
    """
    if chain.folder is None:
        return [], []
    problems: list[str] = []
    steps: dict[Path, pd.Series] = {}
    for path in _files(chain):
        try:
            steps[path] = pd.read_parquet(path, columns=["step"])["step"].astype("int64")
        except _ODD as error:
            problems.append(_unreadable(chain, path, error))
    filled = {path: column for path, column in steps.items() if len(column)}
    if not filled:
        return [], [*problems, f"{chain.name} has no readable rollouts, so none are shown."]
    first = min(int(column.min()) for column in filled.values())
    last = max(int(column.max()) for column in filled.values())
    try:
        early = _rows(filled, first, first + window - 1)
        late = _rows(filled, last - window + 1, last).iloc[::-1]
        return [*_choose(chain, "first", early), *_choose(chain, "last", late)], problems
    except _ODD as error:
        return [], [
            *problems,
            f"{chain.name} shows no rollouts, for one cannot be read ({str(error).splitlines()[0]}).",
        ]


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
