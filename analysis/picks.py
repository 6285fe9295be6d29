"""The picks of a study: by its rule, by other rules, with their optimism, and the seed that ships. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import pandas as pd

from ablation import metrics
from analysis.errors import AnalysisError
from analysis.history import by_chain
from analysis.optimism import noise, optimism
from analysis.selection import SPANS, Pick, Rule, candidate_steps, pick, picks_by_span, ship
from analysis.sources.presets import OURS
from analysis.sources.study import Chain

SHIP_BY = "solved"  # the validation score that chooses the seed
SHARED = (metrics.SOLVED, metrics.PASS_RATIO)
ASSUMED_SAVES = 5  # steps, where a run does not say how often it saved


class Shipped(NamedTuple):
    """The seed of an arm that ships, and the validation score of its pick."""

    seed: int
    score: float


class Picks(NamedTuple):
    """Of every chain: its pick, and what surrounds it.

    ``table`` has one row a chain: arm, seed, step, score, candidates, steps, noise_sd, optimism_sd (in
    per-step sd), optimism (in units of the arm's reward). ``others`` has one row a chain and a column of
    steps for every other rule. ``problems`` says which chain has no pick and why.
    """

    rule: Rule  # of a chain without a folder with the metric of `metric_of`
    by_chain: Mapping[tuple[str, int], Pick]
    table: pd.DataFrame
    others: pd.DataFrame
    problems: tuple[str, ...]


def metric_of(chain: Chain, rule: Rule) -> str:
    """What the rule smooths for a chain: for one that is known from W&B alone the reward that its trainer logs."""
    return rule.metric if chain.folder else chain.reward or rule.metric


def rule_text(chains: Iterable[Chain], rule: Rule) -> str:
    """The rule in words, with the metric that it smooths in these chains, and whether its candidates are assumed."""
    chains = list(chains)
    if any(chain.folder for chain in chains):
        return rule.text
    named = sorted({metric_of(chain, rule) for chain in chains if chain.reward})
    text = rule._replace(metric=" or ".join(named) or "its reward").text
    if all(chain.saved_steps for chain in chains):
        return text
    return f"{text}; where a run does not say when it saved, every {ASSUMED_SAVES} steps is assumed"


def rule_of(chains: Iterable[Chain]) -> tuple[Rule, list[str]]:
    """The study's one rule from its configs' ``selection`` and save grid, and a sentence when they disagree.

    A chain whose config is not known, or is another trainer's, has no say.
    """
    ours = [chain for chain in chains if chain.config and chain.trainer == OURS.name]
    found = {_rule(chain.config, chain.save_every): chain.name for chain in reversed(ours)}
    rules = sorted(found, key=lambda rule: found[rule])
    if len(rules) <= 1:
        return (rules or [Rule()])[0], []
    return rules[0], [
        f"{found[rules[1]]} has another selection rule than {found[rules[0]]}: "
        f"every chain was picked by {rules[0].text}."
    ]


def _rule(config: Mapping[str, Any], save_every: int | None) -> Rule:
    selection = config.get("selection") or {}
    known = {key: selection[key] for key in Rule._fields if key in selection}
    return Rule(**{**known, "save_every": save_every})


def pick_all(chains: Iterable[Chain], history: pd.DataFrame, rule: Rule) -> Picks:
    """Every chain's pick by ``rule`` from the stitched tidy ``history``."""
    picked_by: dict[tuple[str, int], Pick] = {}
    rows: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    problems: list[str] = []
    curves = cache(lambda metric: by_chain(history, metric))
    assumed: list[str] = []
    for chain in chains:
        if not chain.folder and not chain.reward:
            continue  # of which `analysis.foreign.unknown_reward` says more than that there is no curve
        of_chain = rule._replace(metric=metric_of(chain, rule))
        rewards = curves(of_chain.metric).get((chain.arm, chain.seed), {})
        saved = chain.saved_steps
        if chain.folder is None and not saved and rewards:
            saved = tuple(step for step in rewards if step > 0 and step % ASSUMED_SAVES == 0)
            assumed.append(chain.name)
        try:
            picked = pick(rewards, saved, of_chain)
        except AnalysisError as error:
            problems.append(f"{chain.name} has no pick. {error}")
            continue
        picked_by[chain.arm, chain.seed] = picked
        rows.append(_row(chain, picked, rewards, saved, of_chain))
        at_saves = [metrics.EVAL_SOLVED] if curves(metrics.EVAL_SOLVED) else []
        shared = {metric: curves(metric).get((chain.arm, chain.seed), {}) for metric in (*SHARED, *at_saves)}
        others.append({"arm": chain.arm, "seed": chain.seed} | _other_rules(rewards, shared, saved, of_chain))
    if assumed:
        problems.append(
            f"{len(assumed)} runs do not say how often they saved ({', '.join(assumed[:5])}"
            f"{', …' if len(assumed) > 5 else ''}): a checkpoint every {ASSUMED_SAVES} steps is assumed."
        )
    return Picks(rule, picked_by, pd.DataFrame(rows, columns=_TABLE), pd.DataFrame(others), tuple(problems))


_TABLE = ["arm", "seed", "step", "score", "candidates", "steps", "noise_sd", "optimism_sd", "optimism"]


def _row(chain: Chain, picked: Pick, rewards: Mapping[int, float], saved: Sequence[int], rule: Rule) -> dict[str, Any]:
    steps = max(rewards)
    candidates = [step for step in candidate_steps(saved, rule) if step <= steps]
    place = {step: number for number, step in enumerate(sorted(rewards), start=1)}  # some count tokens as steps
    places = [place[step] for step in candidates if step in place]
    noise_sd, optimism_sd = noise(rewards), optimism(places, rule.span, len(rewards))
    values = (
        picked.step,
        picked.score,
        len(candidates),
        steps,
        noise_sd,
        optimism_sd,
        noise_sd * optimism_sd,
    )
    return dict(zip(_TABLE, (chain.arm, chain.seed, *values), strict=True))


def _other_rules(
    rewards: Mapping[int, float], shared: Mapping[str, Mapping[int, float]], saved: Sequence[int], rule: Rule
) -> dict[str, int | None]:
    """{rule in short: the step that it picks}; None where its metric was not logged."""
    moved = picks_by_span(rewards, saved, rule, SPANS)
    steps: dict[str, int | None] = {f"span {span:g}": picked.step for span, picked in moved.items()}
    for metric, curve in shared.items():
        try:
            smooth = rule.span if metric in SHARED else 1  # a save is not smoothed with the ones before
            steps[metric] = pick(curve, saved, rule._replace(metric=metric, span=smooth)).step
        except AnalysisError:
            steps[metric] = None
    return steps


def validation_picks(scores: pd.DataFrame, by: str = SHIP_BY) -> dict[tuple[str, int], int]:
    """{(arm, seed): the evaluated checkpoint with the best validation score}; of equal ones the earliest."""
    rows = scores[(scores["split"] == "validation") & (scores["mode"] == "sampled") & scores["arm"].notna()]
    rows = rows[rows[by].notna()].sort_values([by, "step"], ascending=[False, True], kind="stable")
    best = rows.drop_duplicates(["arm", "seed"])
    return {(row["arm"], int(row["seed"])): int(row["step"]) for _, row in best.iterrows()}


def ship_all(picks: Picks, validation: pd.DataFrame, by: str = SHIP_BY) -> tuple[dict[str, Shipped], list[str]]:
    """{arm: the seed that ships} by validation, and why an arm has none."""
    shipped: dict[str, Shipped] = {}
    problems: list[str] = []
    for arm in dict.fromkeys(arm for arm, _ in picks.by_chain):
        of_arm = {seed: picked for (name, seed), picked in picks.by_chain.items() if name == arm}
        rows = validation[(validation["arm"] == arm) & (validation["mode"] == "sampled")]
        try:
            seed = ship(rows, of_arm, by)
        except AnalysisError as error:
            problems.append(f"Arm {arm} ships nothing yet. {error}")
            continue
        chosen = rows[(rows["seed"] == seed) & (rows["step"] == of_arm[seed].step)]
        shipped[arm] = Shipped(seed, float(chosen[by].mean()))
    return shipped, problems
