"""What runs that are known from W&B alone can show, and what they cannot. Pure.

Such runs have no held-out scores here, and the reward of each arm is on a scale of its own.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from ablation import metrics
from analysis.compare import FEW_PAIRS, Comparison, answer, compare_values, sentence
from analysis.curves import AREA, CurveScores
from analysis.history import by_chain
from analysis.picks import Picks
from analysis.selection import smoothed
from analysis.sources.presets import OURS, named
from analysis.sources.study import Study
from analysis.statistics import paired_seeds

OUR_SHARED = (metrics.SOLVED, metrics.PASS_RATIO)
_PER_FUNCTION = "train/rewards/"  # TRL logs each reward function apart, before its weight
LAST_QUARTER = "mean of the last quarter"


class Conclusions(NamedTuple):
    """Sentences on what the runs show, what they do not, and what to do for more."""

    can: tuple[str, ...]
    cannot: tuple[str, ...]


def is_foreign(study: Study) -> bool:
    """Whether no chain has a folder, and so neither checkpoints nor held-out scores."""
    return all(chain.folder is None for chain in study.chains)


def shared_metrics(study: Study) -> tuple[str, ...]:
    """The metrics that have one scale in every arm, which every chain logged.

    Ours are known; of others those that the user names, and TRL's means of single reward functions.
    """
    if all(chain.trainer == OURS.name for chain in study.chains):
        return OUR_SHARED
    frame = study.history.frame
    runs = frame.groupby("metric")["run_id"].nunique()
    everywhere = sorted(runs[runs == frame["run_id"].nunique()].index)
    given = dict.fromkeys(metric for chain in study.chains for metric in chain.shared)
    functions = [m for m in everywhere if m.startswith(_PER_FUNCTION) and not m.endswith("/std")]
    return tuple(dict.fromkeys([*(m for m in given if m in everywhere), *functions]))


def health(study: Study) -> dict[str, dict[tuple[str, int], dict[int, float]]]:
    """{what: {chain: curve}} of metrics that mean the same under any reward, as each chain's trainer names them."""
    found: dict[str, dict[tuple[str, int], dict[int, float]]] = {}
    curves: dict[str, dict[tuple[str, int], dict[int, float]]] = {}
    for chain in study.chains:
        preset = named(chain.trainer)
        for what, keys in (preset.health if preset else {}).items():
            for key in keys:
                if key not in curves:
                    curves[key] = by_chain(study.history.frame, key)
                curve = curves[key].get((chain.arm, chain.seed))
                if curve:
                    found.setdefault(what, {})[chain.arm, chain.seed] = curve
                    break
    return found


def compare_health(
    curves: Mapping[str, Mapping[tuple[str, int], Mapping[int, float]]], arms: Sequence[str]
) -> list[Comparison]:
    """Every pair of arms on every metric of health, over the last quarter of the steps that all chains have."""
    found: list[Comparison] = []
    for what, of_chains in curves.items():
        common = min(max(curve) for curve in of_chains.values())
        values = {
            key: float(pd.Series([v for step, v in curve.items() if 0.75 * common < step <= common]).mean())
            for key, curve in of_chains.items()
        }
        found += compare_values(values, arms, what, LAST_QUARTER, {})
    return found


def conclude(
    study: Study, picks: Picks, curves: CurveScores, shared: Sequence[str], of_health: Sequence[Comparison]
) -> Conclusions:
    """Sentences for a report on foreign runs."""
    can = [_what_there_is(study)]
    can += [sentence for arm in study.arms for sentence in _own_reward(study, picks, arm)]
    for metric in shared:
        at_end = [c for c in curves.comparisons if c.metric == metric and c.checkpoint != AREA]
        last = at_end[-1].checkpoint if at_end else ""
        can += [f"At the end ({last}), on training samples. {words}" for words in answer(at_end, last)]
    if len(list(combinations(study.arms, 2))) <= FEW_PAIRS:
        can += [f"Over the last quarter, {words}" for c in of_health if c.claims for words in [_lower(sentence(c))]]
    return Conclusions(tuple(can), tuple(_cannot(study, shared)))


def _what_there_is(study: Study) -> str:
    trainers = sorted({chain.trainer or "an unknown trainer" for chain in study.chains})
    seeds = {arm: sum(chain.arm == arm for chain in study.chains) for arm in study.arms}
    runs = ", ".join(f"{count} of {arm}" for arm, count in list(seeds.items())[:12])
    more = f" and {len(seeds) - 12} more arms" if len(seeds) > 12 else ""
    last = study.history.frame.groupby("run_id")["step"].max()
    steps = f"{last.min()}" if last.min() == last.max() else f"{last.min()} to {last.max()}"
    return f"{len(study.chains)} runs logged by {' and '.join(trainers)} were read ({runs}{more}), of {steps} steps."


def _own_reward(study: Study, picks: Picks, arm: str) -> list[str]:
    """How an arm's own reward moved from the first to the last quarter: within one scale, so it may be said."""
    metrics_of = dict.fromkeys(chain.reward for chain in study.chains if chain.arm == arm and chain.reward)
    said = []
    for metric in metrics_of:
        curves = {seed: curve for (name, seed), curve in by_chain(study.history.frame, metric).items() if name == arm}
        averages = {seed: list(smoothed(curve, picks.rule.span).values()) for seed, curve in curves.items()}
        first = {seed: values[max(0, len(values) // 4 - 1)] for seed, values in averages.items()}
        last = {seed: values[-1] for seed, values in averages.items()}
        d = paired_seeds(first, last)
        if not d.n:
            continue
        size = (
            f"The reward that {arm} optimises ({metric}) goes from {_mean(first):.3g} after a quarter of its steps to "
            f"{_mean(last):.3g} at the end (EMA, mean of {d.n} seed{'s' if d.n > 1 else ''})"
        )
        if d.has_interval:
            trend = "it rises" if d.low > 0 else "it falls" if d.high < 0 else "so no trend is shown"
            said.append(f"{size}: 95 % t interval of the change {d.low:+.3g} to {d.high:+.3g} over seeds, {trend}.")
        else:
            said.append(f"{size}; with {d.n} seed{'s' if d.n > 1 else ''} there is no interval.")
    return said


def _cannot(study: Study, shared: Sequence[str]) -> list[str]:
    said = []
    if len(study.arms) > 1:
        said.append(
            "Which arm is better on tasks that it has not seen: these runs hold no held-out scores. Evaluate a "
            "checkpoint of each on the same tasks, at the same number of samples."
        )
        said.append(
            "Which arm is better by its own reward: arms that are rewarded differently are on different scales, so "
            "heights of two arms' curves say nothing. If they have the same reward, name its key under `shared:` in "
            "a YAML file and give it with `--naming FILE`."
        )
    said.append(
        "How good a picked checkpoint is: its score is the largest value of a noisy curve (see its optimism), and "
        "whether its files still exist was not looked at."
    )
    if not shared:
        said.append(
            "Anything on a common scale: no metric is known to mean the same in every arm. Log one (the share of "
            "samples that solve their task, say) whatever the arm is trained on."
        )
    else:
        said.append(
            f"Whether {', '.join(shared)} {'means' if len(shared) == 1 else 'mean'} the same in every arm: that is "
            "taken from the name, and values are of training samples, whose tasks may differ between arms."
            if any(chain.trainer != OURS.name for chain in study.chains)
            else "How arms compare on unseen tasks: shared scores here are of training samples."
        )
    return said


def _mean(values: Mapping[int, float]) -> float:
    return float(pd.Series(values).mean())


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
