"""Which checkpoint of an arm ships, or in one sentence why nothing can be published yet. Pure."""

import difflib
from typing import NamedTuple

from analysis.errors import AnalysisError
from analysis.findings import Findings
from analysis.held_out import by_checkpoint
from analysis.history import series
from analysis.missing import source
from analysis.picks import Picks
from analysis.progress import progress_of, uneven
from analysis.selection import pick
from analysis.sources.study import Chain, Study


class Shipment(NamedTuple):
    """The chain that stands for its arm, and the step of the checkpoint that is published."""

    chain: Chain
    step: int


def in_a_folder(study: Study) -> Study:
    """The study itself.

    Raises:
        AnalysisError: its chains are known without their folders, which hold the checkpoints.
    """
    if study.folder is None or any(chain.folder is None for chain in study.chains):
        raise AnalysisError(
            f"Study {study.name} is known without the folders of its chains, which hold the checkpoints: give "
            "runs/<study>."
        )
    return study


def known_arm(study: Study, arm: str) -> str:
    """The arm itself.

    Raises:
        AnalysisError: the study has no such arm.
    """
    if arm in study.arms:
        return arm
    close = difflib.get_close_matches(arm, study.arms, n=1, cutoff=0.0)[0]
    raise AnalysisError(
        f"{study.name} has no arm {arm}, expected one of {', '.join(study.arms)}; did you mean --arm {close}?"
    )


def finished(study: Study) -> Study:
    """The study itself.

    Raises:
        AnalysisError: a chain has not finished, so neither picks nor comparisons are final.
    """
    behind = uneven(list(progress_of(study).values()))
    if behind:
        raise AnalysisError(f"Study {study.name} is not finished ({behind}), and publishing needs final picks.")
    return study


def shipment(found: Findings, arm: str) -> Shipment:
    """What ships of ``arm``, by the findings of a finished study.

    Raises:
        AnalysisError: a picked checkpoint was deleted, or a pick or a base was not evaluated.
    """
    study = found.study
    for chain in study.chains:
        _still_there(chain, study, found.picks)
    evaluate = evaluation(study)
    evaluated = by_checkpoint(found.held_out)
    lacking = [
        f"{name}-s{seed}@{picked.step} ({split})"
        for (name, seed), picked in found.picks.by_chain.items()
        for split in ("validation", "test")
        if (split, name, seed, picked.step) not in evaluated
    ]
    bases = set(found.held_out.loc[found.held_out["kind"] == "base", "split"])
    lacking += [f"base ({split})" for split in ("validation", "test") if split not in bases]
    shipped = found.best["arms"][arm]["shipped"]
    if lacking or shipped is None:
        which = ", ".join(lacking) or f"a validation score of {arm}"
        raise AnalysisError(
            f"Study {study.name} has no held-out scores of {which}, where a card needs those of the base and of "
            f"every pick: type `{evaluate}`."
        )
    chain = next(chain for chain in study.chains if (chain.arm, chain.seed) == (arm, shipped["seed"]))
    if not chain.config:
        raise AnalysisError(
            f"{chain.name} has no readable config.yaml, and a card says what it ran with: put the file back, or train "
            "the chain again."
        )
    return Shipment(chain, shipped["step"])


def evaluation(study: Study) -> str:
    """The command that evaluates the study."""
    return f"python -m ablation.evaluate {source(study)}"


def _still_there(chain: Chain, study: Study, picks: Picks) -> None:
    """Raises AnalysisError when the rule would pick a step of the save grid whose folder is gone."""
    rewards = series(study.history.frame, chain.arm, chain.seed, picks.rule.metric)
    every, last = chain.save_every or 1, max(rewards, default=0)
    grid = range(every, last + 1, every) if chain.save_every else chain.saved_steps
    picked = pick(rewards, grid, picks.rule)
    if picked.step not in chain.saved_steps:
        raise AnalysisError(
            f"The rule picks step {picked.step} of {chain.name}, but its checkpoint "
            f"{chain.checkpoint(picked.step)} was deleted: put it back, or train the chain again."
        )
