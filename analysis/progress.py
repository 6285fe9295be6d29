"""How far chains have trained, and why some of them must not be compared yet. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from analysis.errors import AnalysisError
from analysis.reproduce import training
from analysis.sources.presets import OURS
from analysis.sources.study import Chain, Study

_UNFINISHED = ("new", "running", "stopped", "failed")


class Progress(NamedTuple):
    """A chain and the last step that it has trained, by its history or its last checkpoint."""

    chain: Chain
    step: int

    @property
    def target(self) -> int:
        """How many steps it is to have; those that it has when nobody said."""
        return self.chain.target_steps or self.step

    @property
    def finished(self) -> bool:
        return self.chain.status not in _UNFINISHED and self.step >= self.target


def progress_of(study: Study) -> dict[tuple[str, int], Progress]:
    """{(arm, seed): how far it is} of every chain."""
    logged = study.history.frame.groupby(["arm", "seed"])["step"].max().to_dict()
    return {
        (chain.arm, chain.seed): Progress(chain, max(logged.get((chain.arm, chain.seed), 0), *chain.saved_steps, 0))
        for chain in study.chains
    }


def begun(study: Study) -> Study:
    """The study itself.

    Raises:
        AnalysisError: no chain of it has a history row that could be read.
    """
    if not study.history.frame.empty:
        return study
    typed = ", ".join(f"`{line}`" for line in training(study.chains))
    names = ", ".join(chain.name for chain in study.chains)
    raise AnalysisError(
        f"No chain of study {study.name} ({names}) has a readable history row, where one trained step is expected: "
        f"train with {typed}."
    )


def uneven(compared: Sequence[Progress]) -> str:
    """Which of the compared chains have not finished as many steps as the longest is to have, and what to type.

    Empty when all of them have.
    """
    goal = max((p.target for p in compared), default=0)
    behind = [p for p in compared if not p.finished or p.step < goal]
    if not behind:
        return ""
    if all(p.chain.folder is None and p.chain.trainer != OURS.name for p in behind):
        ends = ", ".join(f"{p.chain.name} ends at step {p.step}" for p in behind)
        return (
            f"not every run has the {goal} steps of the longest: {ends}; finish it with the trainer that made it, or "
            "move its files out of the folder"
        )
    which = ", ".join(f"{p.chain.name} is {p.chain.status} at step {p.step} of {p.target}" for p in behind)
    lines = [
        *training([p.chain for p in behind if p.target == goal and p.chain.command]),
        *training([p.chain for p in behind if p.target != goal or not p.chain.command], steps=goal),
    ]
    typed = ", ".join(f"`{line}`" for line in dict.fromkeys(lines))
    return f"not every chain has finished the {goal} steps: {which}; type {typed}"
