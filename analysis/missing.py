"""What a study does not have yet, each with the command that adds it. Pure."""

import math
import shlex

import pandas as pd

from ablation import metrics
from analysis.held_out import by_checkpoint
from analysis.history import by_chain
from analysis.picks import SHARED, Picks, metric_of
from analysis.selection import smoothed
from analysis.sources.study import Chain, Study


def missing(study: Study, picks: Picks, scores: pd.DataFrame) -> list[str]:
    """One sentence for every gap: unfinished chains, lost steps and candidates, picks and bases without scores.

    Of runs that are known from W&B alone nobody expects checkpoints and held-out scores.
    """
    names = {metrics.REWARD_EMA, *(metric_of(chain, picks.rule) for chain in study.chains)}
    curves: _Curves = {name: by_chain(study.history.frame, name) for name in names}
    problems = [problem for chain in study.chains for problem in _of_chain(chain, curves, picks)]
    problems.extend(_seeds(study))
    evaluate = f"run `python -m ablation.evaluate {source(study)}`"
    in_folders = {(chain.arm, chain.seed) for chain in study.chains if chain.folder}
    evaluated = by_checkpoint(scores)
    for split in ("validation", "test") if in_folders else ():
        of_split = scores[scores["split"] == split]
        if not (of_split["kind"] == "base").any():
            problems.append(f"The base model has no {split} scores: {evaluate}.")
        lacking = [
            f"{arm}-s{seed}@{picked.step}"
            for (arm, seed), picked in picks.by_chain.items()
            if (arm, seed) in in_folders and (split, arm, seed, picked.step) not in evaluated
        ]
        if lacking:
            problems.append(f"{len(lacking)} picks have no {split} scores ({', '.join(lacking)}): {evaluate}.")
    return problems + _without_scores(study) + _unscored(scores)


def _without_scores(study: Study) -> list[str]:
    """Which chains lack a shared score that others logged."""
    problems = []
    for metric in SHARED:
        have = by_chain(study.history.frame, metric)
        lacking = [chain.name for chain in study.chains if (chain.arm, chain.seed) not in have]
        if have and lacking and len(lacking) < len(study.chains):
            problems.append(
                f"{', '.join(lacking[:8])}{', …' if len(lacking) > 8 else ''} logged no {metric}, which other chains "
                "did: comparisons of it leave them out."
            )
    return problems


_Curves = dict[str, dict[tuple[str, int], dict[int, float]]]


def source(study: Study) -> str:
    """The study's folder as commands take it."""
    return study.folder.as_posix() if study.folder else "STUDY"


def _of_chain(chain: Chain, curves: _Curves, picks: Picks) -> list[str]:
    metric = metric_of(chain, picks.rule)
    rewards = curves[metric].get((chain.arm, chain.seed), {})
    last = max(rewards, default=0)
    problems: list[str] = []
    if chain.folder is None and chain.status != "complete":
        problems.append(f"{chain.name} is {chain.status} at step {last}: its last steps may be missing.")
    elif chain.status != "complete":
        target = chain.target_steps or "?"
        problems.append(
            f"{chain.name} is {chain.status} at step {last} of {target}: {_started_by(chain)} continues it."
        )
    problems.extend(_lost_candidates(chain, last))
    gaps = _gaps(rewards, last) if chain.folder else []
    if gaps:
        problems.append(f"{chain.name} has no {metric} at {_steps(gaps)}: the EMA skips them.")
    odd = [step for step, value in rewards.items() if not math.isfinite(value)]
    if odd:
        problems.append(f"{chain.name} has a {metric} that is no finite number at {_steps(odd)}.")
    problems.extend(_logged_ema(chain, curves, rewards, picks))
    ahead = [step for step in chain.saved_steps if step > last]
    if ahead:
        problems.append(f"{chain.name} has checkpoints without a history row at {_steps(ahead)}: no candidates.")
    return problems


def _gaps(rewards: dict[int, float], last: int) -> list[int]:
    return [step for step in range(1, last + 1) if step not in rewards]


def _lost_candidates(chain: Chain, last: int) -> list[str]:
    """Steps of the save grid that were trained and have no checkpoint, though a folder could hold them."""
    if chain.folder is None or not chain.save_every:
        return []
    lost = [step for step in range(chain.save_every, last + 1, chain.save_every) if step not in chain.saved_steps]
    if not lost:
        return []
    hidden = chain.folder.with_name(f".{chain.folder.name}.incomplete")  # which no reader takes for a chain
    away = shlex.join(["mv", chain.folder.as_posix(), hidden.as_posix()])
    return [
        f"{chain.name} lacks the checkpoint{'s' if len(lost) > 1 else ''} of {_steps(lost)}, which could not be "
        f"picked: put back {chain.checkpoint(lost[0])}{' and the others' if len(lost) > 1 else ''}, or train the "
        f"chain again with `{away}` and {_started_by(chain)}."
    ]


def _started_by(chain: Chain) -> str:
    return f"`{chain.command}`" if chain.command else "the `python -m ablation.run` command that started it"


def _logged_ema(chain: Chain, curves: _Curves, rewards: dict[int, float], picks: Picks) -> list[str]:
    """Whether the EMA that the trainer logged, which dashboards show, is the one that picks."""
    logged = curves[metrics.REWARD_EMA].get((chain.arm, chain.seed), {})
    averages = smoothed(rewards, picks.rule.span)
    apart = [step for step, value in logged.items() if step in averages and abs(value - averages[step]) > 1e-6]
    if not apart or picks.rule.metric != metrics.REWARD_TRAIN:
        return []
    return [f"{chain.name} logged another {metrics.REWARD_EMA} than the rule's at {_steps(apart)}."]


def _seeds(study: Study) -> list[str]:
    everywhere = sorted({chain.seed for chain in study.chains})
    have = {arm: {chain.seed for chain in study.chains if chain.arm == arm} for arm in study.arms}
    return [
        f"Arm {arm} has no seed {seed}, which other arms have: pairs of it are left out of the comparison."
        for arm in study.arms
        for seed in everywhere
        if seed not in have[arm]
    ]


def _unscored(scores: pd.DataFrame) -> list[str]:
    rows = scores[scores["unscored"] > 0]
    return [
        f"{of_split['unscored'].sum()} of {of_split['samples'].sum()} {split} samples of {len(of_split)} subjects "
        "could not be scored and are in no mean: held_out.csv says of which."
        for split, of_split in rows.groupby("split")
    ]


def _steps(steps: list[int]) -> str:
    shown = ", ".join(str(step) for step in steps[:8])
    more = f" and {len(steps) - 8} more" if len(steps) > 8 else ""
    return f"step{'s' if len(steps) > 1 else ''} {shown}{more}"
