"""The picks of a study: by its rule, by other rules, with their optimism, and the seed that ships. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from ablation import metrics
from analysis.errors import AnalysisError
from analysis.history import series
from analysis.optimism import noise, optimism
from analysis.selection import SPANS, Pick, Rule, candidate_steps, pick, picks_by_span, ship
from analysis.sources.study import Chain

SHIP_BY = "solved"  # the validation score that chooses the seed
SHARED = (metrics.SOLVED, metrics.PASS_RATIO)


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

    rule: Rule
    by_chain: Mapping[tuple[str, int], Pick]
    table: pd.DataFrame
    others: pd.DataFrame
    problems: tuple[str, ...]


def rule_of(chains: Iterable[Chain]) -> tuple[Rule, list[str]]:
    """The study's one rule from its configs' ``selection`` and save grid, and a sentence when they disagree.

    A chain whose config is not known has no say.
    """
    found = {_rule(chain.config, chain.save_every): chain.name for chain in reversed(list(chains)) if chain.config}
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
    by_chain: dict[tuple[str, int], Pick] = {}
    rows: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    problems: list[str] = []
    for chain in chains:
        rewards = series(history, chain.arm, chain.seed, rule.metric)
        try:
            picked = pick(rewards, chain.saved_steps, rule)
        except AnalysisError as error:
            problems.append(f"{chain.name} has no pick. {error}")
            continue
        by_chain[chain.arm, chain.seed] = picked
        rows.append(_row(chain, picked, rewards, rule))
        others.append({"arm": chain.arm, "seed": chain.seed} | _other_rules(chain, history, rule))
    return Picks(rule, by_chain, pd.DataFrame(rows, columns=_TABLE), pd.DataFrame(others), tuple(problems))


_TABLE = ["arm", "seed", "step", "score", "candidates", "steps", "noise_sd", "optimism_sd", "optimism"]


def _row(chain: Chain, picked: Pick, rewards: Mapping[int, float], rule: Rule) -> dict[str, Any]:
    steps = max(rewards)
    candidates = [step for step in candidate_steps(chain.saved_steps, rule) if step <= steps]
    noise_sd, optimism_sd = noise(rewards), optimism(candidates, rule.span, steps)
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


def _other_rules(chain: Chain, history: pd.DataFrame, rule: Rule) -> dict[str, int | None]:
    """{rule in short: the step that it picks}; None where its metric was not logged."""
    rewards = series(history, chain.arm, chain.seed, rule.metric)
    moved = picks_by_span(rewards, chain.saved_steps, rule, SPANS)
    steps: dict[str, int | None] = {f"span {span:g}": picked.step for span, picked in moved.items()}
    for metric in SHARED:
        shared = series(history, chain.arm, chain.seed, metric)
        try:
            steps[metric] = pick(shared, chain.saved_steps, rule._replace(metric=metric)).step
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
