"""Held-out scores of a study, as ``python -m ablation.evaluate`` writes them.

Validation and test are two functions on purpose: validation rows may choose, test rows only report.
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.sources.study import Chain, Study

TYPES = {
    "subject": "str",
    "kind": "str",
    "arm": "object",
    "seed": "Int64",
    "step": "Int64",
    "roles": "str",
    "split": "str",
    "mode": "str",
    "task_id": "str",
    "sample": "Int64",
    "status": "str",
    "passed": "float64",
    "total": "float64",
    "pass_ratio": "float64",
    "solved": "float64",
}


class HeldOut(NamedTuple):
    """Held-out samples [subjects x tasks x samples] of one split, and sentences on what could not be read.

    ``solved`` is 1.0 or 0.0; it and ``pass_ratio`` are NaN where a sample has no score.
    """

    frame: pd.DataFrame
    problems: tuple[str, ...]


def load_validation(study: Study) -> HeldOut:
    """The split that chooses the seed that ships."""
    return _load(study, "validation")


def load_test(study: Study) -> HeldOut:
    """The split that arms are compared on. Nothing may be chosen with it."""
    return _load(study, "test")


def _load(study: Study, split: str) -> HeldOut:
    frames: list[pd.DataFrame] = []
    problems: list[str] = []
    seen: set[str] = set()
    for root, labels in _folders(study).items():
        for path in sorted((root / "evaluation" / split).glob("*.parquet")):
            try:
                frame = _typed(pd.read_parquet(path), split)
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(_unreadable(path, error, root))
                continue
            frame = _labelled(frame, labels)
            subjects = _subjects(frame)
            if subjects & seen:
                repeated = ", ".join(sorted(subjects & seen))
                problems.append(
                    f"evaluation/{split}/{path.name} repeats {repeated} and was left out: delete one of them."
                )
                continue
            seen |= subjects
            frames.append(frame)
    empty = pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in TYPES.items()})
    return HeldOut(pd.concat(frames, ignore_index=True) if frames else empty, tuple(problems))


def _folders(study: Study) -> dict[Path, dict[str, str]]:
    """Study folders, each with {arm in its files: arm as the report names it}."""
    folders: dict[Path, dict[str, str]] = {}
    for chain in study.chains:
        if chain.folder is not None:
            names = folders.setdefault(chain.folder.parent, {})
            names[chain.arm_in_files or chain.arm] = chain.arm
    return folders


def _typed(frame: pd.DataFrame, split: str) -> pd.DataFrame:
    absent = [column for column in TYPES if column not in frame.columns]
    if absent:
        raise ValueError(f"it has no column {', '.join(absent)}")
    frame = frame[list(TYPES)].copy()
    frame["solved"] = frame["solved"].astype("boolean").astype("Float64").astype("float64")
    frame = frame.astype(TYPES)
    _refuse_odd(frame)
    # Only the names of the roles may differ within a file, while they are brought up to date.
    frame["roles"] = frame.groupby("subject")["roles"].transform("last")
    others = sorted(set(frame["split"]) - {split})
    if others:
        raise ValueError(f"its split column says {', '.join(others)}")
    return frame


def _refuse_odd(frame: pd.DataFrame) -> None:
    """Raises ValueError for rows from which no mean may be taken."""
    checkpoints = frame[frame["kind"] == "checkpoint"]
    if checkpoints[["arm", "seed", "step"]].isna().any(axis=None):
        raise ValueError("a checkpoint has no arm, seed or step")
    keys = ["subject", "mode", "task_id", "sample"]
    if frame.duplicated(keys).any():
        raise ValueError(f"{frame.duplicated(keys).sum()} samples are in it twice")
    if not (frame["pass_ratio"].dropna().between(0, 1).all() and frame["solved"].dropna().between(0, 1).all()):
        raise ValueError("it has a score that is not between 0 and 1")


def _subjects(frame: pd.DataFrame) -> set[str]:
    """The models that a file has scores of: a checkpoint by what it is, whatever it is called."""
    checkpoints = frame[frame["kind"] == "checkpoint"][["arm", "seed", "step"]].drop_duplicates()
    named = {f"{arm}-s{seed}@{step}" for arm, seed, step in checkpoints.itertuples(index=False, name=None)}
    return named | set(frame.loc[frame["kind"] != "checkpoint", "subject"])


def _labelled(frame: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    if all(name == label for name, label in labels.items()):
        return frame
    of_arm = frame["arm"].notna()
    frame.loc[of_arm, "arm"] = frame.loc[of_arm, "arm"].map(lambda arm: labels.get(arm, arm))
    subject = frame["arm"].astype(str) + "-s" + frame["seed"].astype(str) + "@" + frame["step"].astype(str)
    return frame.assign(subject=frame["subject"].where(~of_arm, subject))


def _unreadable(path: Path, error: Exception, root: Path) -> str:
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return (
        f"evaluation/{path.parent.name}/{path.name} was left out ({reason}): "
        f"delete it and run `python -m ablation.evaluate {root.as_posix()}`."
    )


def of_chain(frame: pd.DataFrame, chain: Chain) -> pd.DataFrame:
    """The rows of one chain's checkpoints."""
    return frame[(frame["arm"] == chain.arm) & (frame["seed"] == chain.seed)]
