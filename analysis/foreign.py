"""What runs that are known from W&B alone can show, and what they cannot. Pure.

Such runs have no held-out scores here, and the reward of each arm is on a scale of its own.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import pandas as pd

from ablation import metrics
from analysis.compare import FEW_PAIRS, Comparison, answer, compare_values, sentence, signed
from analysis.curves import AREA, CurveScores
from analysis.history import by_chain
from analysis.picks import Picks
from analysis.selection import smoothed
from analysis.sources.presets import OURS, USER, named
from analysis.sources.study import Study
from analysis.statistics import MIN_SEEDS, paired_seeds

OUR_SHARED = (metrics.SOLVED, metrics.PASS_RATIO)
FEW_ARMS = 6  # up to here each has sentences of its own
_PER_FUNCTION = "train/rewards/"  # TRL logs each reward function apart, before its weight
_WHOLE = 0.95  # share of the longest run's steps from which on a run counts as one that has trained to the end


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
    """Every pair of arms on every metric of health, over the last quarter of steps, but for runs that ended early."""
    found: list[Comparison] = []
    for what, of_chains in curves.items():
        ends = _whole({key: max(curve) for key, curve in of_chains.items()})
        until = min(ends.values())
        window = [step for step in range(until + 1) if step > 0.75 * until]
        values = {
            key: float(pd.Series([of_chains[key][step] for step in window if step in of_chains[key]]).mean())
            for key in ends
        }
        found += compare_values(values, arms, what, f"mean of steps {window[0]} to {until}", {})
    return found


def _whole(ends: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    """The last steps of the runs that did not end early, by those of all."""
    return {key: end for key, end in ends.items() if end >= _WHOLE * max(ends.values())}


def conclude(
    study: Study, picks: Picks, curves: CurveScores, shared: Sequence[str], of_health: Sequence[Comparison]
) -> Conclusions:
    """Sentences for a report on foreign runs."""
    logged: dict[Any, int] = study.history.frame.groupby(["arm", "seed"])["step"].max().to_dict()
    ends = {(chain.arm, chain.seed): logged.get((chain.arm, chain.seed), 0) for chain in study.chains}
    whole = _whole(ends)
    can = [_what_there_is(study), *_early(ends, whole)]
    moves = [move for arm in study.arms for move in _own_rewards(study, picks, arm, ends)]
    can += [move.words for move in moves] if len(study.arms) <= FEW_ARMS else _in_short(moves)
    for metric in shared:
        at_end = [c for c in curves.comparisons if c.metric == metric and c.checkpoint != AREA]
        last = at_end[-1].checkpoint if at_end else ""
        can += [f"At the end ({last}), on training samples. {words}" for words in answer(at_end, last)]
    if len(list(combinations(study.arms, 2))) <= FEW_PAIRS:
        can += [f"{_upper(c.checkpoint)}. {sentence(c)}" for c in of_health if c.claims]
    return Conclusions(tuple(can), tuple(_cannot(study, shared)))


def unknown_reward(study: Study) -> str:
    """What to do for runs whose reward nobody named; empty where all are known."""
    without = {chain.run_id for chain in study.chains if not chain.reward}
    if not without:
        return ""
    frame = study.history.frame
    logged = sorted(frame.loc[frame["run_id"].isin(without), "metric"].unique())
    shown = ", ".join(logged[:12]) + (f" and {len(logged) - 12} more" if len(logged) > 12 else "")
    return (
        f"What {len(without)} of {len(study.chains)} runs were rewarded with, nor their curves and picks: they log the "
        "keys of no known trainer. Name theirs by `step:` and `reward:` in a YAML file and give it with "
        f"`--naming FILE`; logged are {shown}."
    )


def _what_there_is(study: Study) -> str:
    trainers = sorted({chain.trainer or "an unknown trainer" for chain in study.chains})
    if trainers == [USER.name]:
        trainers = ["a trainer whose keys the file of --naming says"]
    seeds = {arm: sum(chain.arm == arm for chain in study.chains) for arm in study.arms}
    runs = ", ".join(f"{count} of {arm}" for arm, count in list(seeds.items())[:12])
    more = f" and {len(seeds) - 12} more arms" if len(seeds) > 12 else ""
    last = study.history.frame.groupby("run_id")["step"].max()
    steps = f"{last.min()}" if last.min() == last.max() else f"{last.min()} to {last.max()}"
    return f"{len(study.chains)} runs logged by {' and '.join(trainers)} were read ({runs}{more}), of {steps} steps."


def _early(ends: Mapping[tuple[str, int], int], whole: Mapping[tuple[str, int], int]) -> list[str]:
    """Which runs ended early, and are left out of what is said of the end."""
    early = [f"{arm}-s{seed} at step {end}" for (arm, seed), end in ends.items() if (arm, seed) not in whole]
    if not early:
        return []
    shown = ", ".join(early[:8]) + (f" and {len(early) - 8} more" if len(early) > 8 else "")
    return [
        f"{len(early)} of them ended before the {max(ends.values())} steps of the longest and count in no comparison: "
        f"{shown}."
    ]


class _Move(NamedTuple):
    """How one arm's own reward moved, in a sentence and in short."""

    metric: str
    words: str
    short: str


def _in_short(moves: Sequence[_Move]) -> list[str]:
    """The moves of many arms, a sentence for each metric."""
    by_metric: dict[str, list[str]] = {}
    for move in moves:
        by_metric.setdefault(move.metric, []).append(move.short)
    return [
        f"The reward of each arm ({metric}; EMA after a quarter of its steps, then at the end): {'; '.join(shorts)}."
        for metric, shorts in by_metric.items()
    ]


def _own_rewards(study: Study, picks: Picks, arm: str, ends: Mapping[tuple[str, int], int]) -> list[_Move]:
    """How an arm's own reward moved from the first quarter to the end: within one scale, so it may be said."""
    metrics_of = dict.fromkeys(chain.reward for chain in study.chains if chain.arm == arm and chain.reward)
    moves = []
    whole = _whole({key: end for key, end in ends.items() if key[0] == arm})  # by the longest of this arm
    early = max(whole.values()) < _WHOLE * max(ends.values())
    at_end = f"at step {max(whole.values())}, where the longest run of the arm ends" if early else "at the end"
    for metric in metrics_of:
        of_chains = by_chain(study.history.frame, metric)
        curves = {seed: curve for (name, seed), curve in of_chains.items() if name == arm and (arm, seed) in whole}
        averages = {seed: list(smoothed(curve, picks.rule.span).values()) for seed, curve in curves.items()}
        first = {seed: values[max(0, len(values) // 4 - 1)] for seed, values in averages.items()}
        last = {seed: values[-1] for seed, values in averages.items()}
        d = paired_seeds(first, last)
        if not d.n:
            continue
        size = (
            f"The reward that {arm} optimises ({metric}) goes from {_mean(first):.3g} after a quarter of its steps to "
            f"{_mean(last):.3g} {at_end} (EMA, mean of {d.n} seed{'s' if d.n > 1 else ''})"
        )
        if d.has_interval:
            trend = "it rises" if d.low > 0 else "it falls" if d.high < 0 else "no trend is shown"
            change = f"{signed(d.low, 1)} to {signed(d.high, 1)}"
            words = f"{size}: 95 % t interval of the change {change} over seeds; {trend}."
            of_change = f", change {change}"
        else:
            words, of_change = f"{size}; with {d.n} seed{'s' if d.n > 1 else ''} there is no interval.", ""
        short = f"{arm} {_mean(first):.3g} to {_mean(last):.3g}{of_change} ({d.n} seed{'s' if d.n > 1 else ''})"
        moves.append(_Move(metric, words, short))
    return moves


def _cannot(study: Study, shared: Sequence[str]) -> list[str]:
    said = [unknown_reward(study)] if unknown_reward(study) else []
    seeds = {arm: {chain.seed for chain in study.chains if chain.arm == arm} for arm in study.arms}
    if len(study.arms) > 1 and all(len(of_arm) == 1 for of_arm in seeds.values()):
        said.append(
            "Whether any two arms differ in anything: each has one seed, so a difference cannot be told from chance. "
            f"Train {MIN_SEEDS} or more of each."
        )
    elif any(not seeds[a] & seeds[b] for a, b in combinations(study.arms, 2)):
        said.append(
            "How arms compare that share no seed: only runs of one seed are compared, in pairs. Where seeds mean "
            "nothing, number the runs of every arm alike, by `seed:` in a YAML file for `--naming FILE`."
        )
    if len(study.arms) > 1:
        said.append(
            "Which arm is better on tasks that it has not seen: these runs hold no held-out scores. Evaluate a "
            "checkpoint of each on the same tasks, at the same number of samples."
        )
    own = {chain.reward for chain in study.chains if chain.reward}
    if len(study.arms) > 1 and not own & set(shared):
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
        given = {metric for chain in study.chains for metric in chain.shared}
        taken = "what the file of --naming says" if set(shared) <= given else "taken from the name"
        said.append(
            f"Whether {', '.join(shared)} {'means' if len(shared) == 1 else 'mean'} the same in every arm: that is "
            f"{taken}, and values are of training samples, whose tasks may differ between arms."
            if any(chain.trainer != OURS.name for chain in study.chains)
            else "How arms compare on unseen tasks: shared scores here are of training samples."
        )
    return said


def _mean(values: Mapping[int, float]) -> float:
    return float(pd.Series(values).mean())


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
