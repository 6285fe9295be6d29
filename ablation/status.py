"""``python -m ablation.status [STUDY]``: how every chain of a study stands, from its files alone.

Starts in a moment and imports no framework, so that it can be typed on a login node.
"""

import argparse
import heapq
import json
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ablation.chain_files import is_chain
from ablation.chain_state import ChainState, read_chain
from ablation.printing import clock, score, table

RUNS = Path("runs")
REFUSED = 2  # exit code when there is no such study
HEADER = (
    "arm", "seed", "status", "link", "step", "s/step", "ETA h:mm", "reward/ema", "score/solved", "last event"
)  # fmt: skip
_ORDER = ("finished", "running", "waiting", "silent", "interrupted", "failed", "unreadable")


class StudyError(ValueError):
    """There is no such study: what was found, what was expected, and what to type next, in one sentence."""


@dataclass(frozen=True)
class Totals:
    """How a study stands; chains that a sweep has not begun have no files and are in none of the numbers."""

    chains: int
    by_status: dict[str, int]
    steps_done: int
    steps: int
    eta_s: float | None  # of the chains that run or wait, as many side by side as run now; None when unknown


def find_study(named: str | None, runs: Path = RUNS) -> Path:
    """Returns the study's folder: ``named`` itself, or of that name under ``runs``; without a name the newest.

    Raises StudyError when that holds no chain.
    """
    if named is None:
        studies = _studies(runs)
        if studies:
            return max(studies, key=lambda study: (_last_written(study), study.name))
        raise StudyError(
            f"{runs.as_posix()}/ holds no study with a chain where one is expected: "
            "type `python -m ablation.status FOLDER`, or train one with `python -m ablation.run`."
        )
    for folder in (Path(named), runs / named):
        if chain_folders(folder):
            return folder
    raise StudyError(_no_study(Path(named), runs))


def chain_folders(study: Path) -> list[Path]:
    """Returns the folders of chains in ``study``, by name; none when it is no folder."""
    return [child for child in sorted(study.iterdir()) if is_chain(child)] if study.is_dir() else []


def totals(states: Sequence[ChainState]) -> Totals:
    """Returns the sums over chains. Steps beyond a chain's target do not count as done."""
    counts = Counter(state.status for state in states)
    return Totals(
        chains=len(states),
        by_status={status: counts[status] for status in _ORDER if counts[status]},
        steps_done=sum(min(state.step or 0, state.steps) for state in states if state.steps is not None),
        steps=sum(state.steps or 0 for state in states),
        eta_s=_eta(states),
    )


def report(study: Path, states: Sequence[ChainState]) -> str:
    """Returns the table of chains and the sentence of totals."""
    lines = table(HEADER, [_cells(state) for state in states])
    commands = dict.fromkeys(s.command for s in states if s.status in ("interrupted", "failed") and s.command)
    lines = [f"study {study.as_posix()}", "", *lines, "", _sentence(totals(states))]
    return "\n".join([*lines, *(f"To go on with what was interrupted or failed: {typed}" for typed in commands)])


def json_lines(study: Path, states: Sequence[ChainState]) -> str:
    """Returns one object for each chain, then one with the totals; ``kind`` tells them apart."""
    items = [{"kind": "chain", **asdict(state)} for state in states]
    return "\n".join(map(json.dumps, [*items, {"kind": "study", "folder": study.as_posix(), **asdict(totals(states))}]))


def _cells(state: ChainState) -> tuple[str, ...]:
    rate, steps = state.seconds_per_step, "?" if state.steps is None else state.steps
    return (
        state.arm,
        "?" if state.seed is None else str(state.seed),
        state.status_text,
        "-" if state.link is None else str(state.link),
        f"{'?' if state.step is None else state.step}/{steps}",
        "-" if rate is None else f"{rate:.2f}",
        "-" if state.eta_s is None else clock(state.eta_s),
        score(state.reward_ema),
        score(state.solved),
        "; ".join(filter(None, (state.last_event, *state.problems))),
    )


def _sentence(sums: Totals) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in sums.by_status.items())
    done = f"Of {sums.chains} chains {counts}; {sums.steps_done} of {sums.steps} steps done"
    side_by_side = sums.by_status.get("running", 0)
    if not side_by_side:
        return f"{done}."
    eta = "unknown" if sums.eta_s is None else f"{clock(sums.eta_s)} h"
    return f"{done}; ETA {eta} with {side_by_side} side by side, without chains that have no folder yet."


def _eta(states: Sequence[ChainState]) -> float | None:
    """Seconds until the last one ends when waiting chains take the places of running ones.

    A chain without a rate goes at the median rate of the others.
    """
    rates = [s.seconds_per_step for s in states if s.seconds_per_step is not None]
    active = [s for s in states if s.status in ("running", "waiting")]
    if not rates or any(s.steps is None or s.step is None for s in active):
        return None
    usual = statistics.median(rates)

    def left(state: ChainState) -> float:
        assert state.steps is not None
        assert state.step is not None
        rate = usual if state.seconds_per_step is None else state.seconds_per_step
        return rate * max(state.steps - state.step, 0)

    places = [left(state) for state in active if state.status == "running"]
    if not places:
        return None
    heapq.heapify(places)
    for state in (state for state in active if state.status == "waiting"):
        heapq.heappush(places, heapq.heappop(places) + left(state))
    return max(places)


def _no_study(folder: Path, runs: Path) -> str:
    expected = "where a folder that holds chains is expected"
    name, parent = folder.as_posix(), folder.parent.as_posix()
    if folder.is_dir() and is_chain(folder):
        return f"{name} is one chain {expected}: type `python -m ablation.status {parent}`."
    found = "holds no chain" if folder.is_dir() else "is no folder" if folder.exists() else "does not exist"
    roots = dict.fromkeys((folder, folder.parent, runs))
    studies = list(dict.fromkeys(study.as_posix() for root in roots for study in _studies(root)))
    if not studies:
        return f"{name} {found} {expected}: train one with `python -m ablation.run`."
    typed = f"`python -m ablation.status {studies[0]}`"
    others = f", or another of {', '.join(studies[1:])}" if studies[1:] else ""
    return f"{name} {found} {expected}: type {typed}{others}."


def _studies(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [path for path in sorted(root.iterdir()) if not path.name.startswith(".") and chain_folders(path)]


def _last_written(study: Path) -> float:
    files = (chain / name for chain in chain_folders(study) for name in ("chain.json", "history.jsonl"))
    return max(file.stat().st_mtime for file in files if file.exists())


def main(argv: Sequence[str] | None = None) -> int:
    """Prints how the study stands; returns 0, or 2 with one sentence when there is no such study."""
    parser = argparse.ArgumentParser(prog="python -m ablation.status", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", nargs="?", help="runs/<study>, or the study's name (default: the newest in runs/)")
    parser.add_argument("--json", action="store_true", help="JSON lines: one for each chain, then the totals")
    arguments = parser.parse_args(argv)
    try:
        study = find_study(arguments.study)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    now_s, host = time.time(), socket.gethostname()
    states = [read_chain(folder, now_s=now_s, host=host) for folder in chain_folders(study)]
    states.sort(key=lambda state: (state.arm, -1 if state.seed is None else state.seed, state.folder))
    print(json_lines(study, states) if arguments.json else report(study, states))
    return 0


if __name__ == "__main__":
    sys.exit(main())
