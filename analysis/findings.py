"""Everything that a report says of a study, put together from the pure parts; no pictures, no files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.asked import Asked, asked
from analysis.best import best
from analysis.compare import Comparison, answer, compare_arms, comparison_table, conditional_table
from analysis.cost import cost_table
from analysis.curves import CurveScores, curve_scores
from analysis.differences import Differences, differences
from analysis.foreign import Conclusions, compare_health, conclude, health, is_foreign, shared_metrics
from analysis.forked import working
from analysis.held_out import subject_scores, task_means
from analysis.missing import missing
from analysis.picks import Picks, pick_all, rule_of, ship_all
from analysis.progress import progress_of
from analysis.reasons import chain_reasons, reasons
from analysis.sources.held_out import HeldOut, load_test, load_validation
from analysis.sources.naming import field
from analysis.sources.rollouts import Rollout, has_rollouts, read_rollouts, sample_rollouts
from analysis.sources.study import Chain, Study
from analysis.tables import picks_table, rules_table
from analysis.tasks import task_table, task_words
from analysis.why import Why, join, summarise, width

_MANY_CHAINS = 12  # whose rollouts are worth more than one process


@dataclass(frozen=True)
class Findings:
    """What a report shows, in its order; tables are frames with one row a line."""

    study: Study
    foreign: Conclusions | None  # instead of an answer, where every run is known from W&B alone
    shared: tuple[str, ...]  # metrics with one scale in every arm
    answer: tuple[str, ...]  # sentences on the picks, test split
    comparisons: tuple[Comparison, ...]  # of held-out scores; `curves` has those of the training curves
    comparison: pd.DataFrame  # comparison.csv
    by_task: pd.DataFrame  # two given checkpoints over the same tasks
    curves: CurveScores
    health: tuple[Comparison, ...]
    differences: Differences
    cost: pd.DataFrame  # cost.csv
    asked: Asked
    picks: Picks
    picks_table: pd.DataFrame  # picks.csv
    rules_table: pd.DataFrame  # rules.csv
    held_out: pd.DataFrame  # held_out.csv
    tasks: pd.DataFrame  # tasks.csv
    task_words: tuple[str, ...]
    why: Why
    reasons_table: pd.DataFrame  # rollouts_chains.csv
    reasons: tuple[str, ...]
    rollouts: tuple[Rollout, ...]
    best: dict[str, Any]
    problems: tuple[str, ...]


def find(study: Study) -> Findings:
    """All findings of a study, finished or not: what is not there yet is named in ``problems``."""
    rule, disagreement = rule_of(study.chains)
    picks = pick_all(study.chains, study.history.frame, rule)
    validation, test = load_validation(study), load_test(study)
    scores = subject_scores(pd.concat([validation.frame, test.frame], ignore_index=True))
    shipped, unshipped = ship_all(picks, validation.frame)
    picked = {key: pick.step for key, pick in picks.by_chain.items()}
    progress, shared = progress_of(study), shared_metrics(study)
    compared = [
        comparison
        for name, steps in (("pick", picked), ("last", _last_steps(study)), *_fixed_steps(study, scores))
        for comparison in compare_arms(test.frame, scores, study.arms, steps, name, progress)
    ]
    by_task = conditional_table(test.frame, study.arms, picked)
    curves = curve_scores(study.history.frame, study.arms, shared, rule.span, progress)
    foreign = is_foreign(study)
    of_health = compare_health(health(study), study.arms) if foreign else []
    why, unread = _why(study)
    table = chain_reasons(why, study.history.frame)
    of_tasks = task_table(test.frame, task_means(test.frame, "solved"), picked, study.arms)
    shown, unshown = _rollouts(study)
    unread = [*unread, *(problem for problem in unshown if problem not in unread)]
    read = _problems(study, validation, test)
    return Findings(
        study=study,
        foreign=conclude(study, picks, curves, shared, of_health) if foreign else None,
        shared=shared,
        answer=tuple(answer(compared)),
        comparisons=tuple(compared),
        comparison=comparison_table([*compared, *curves.comparisons, *of_health], by_task),
        by_task=by_task,
        curves=curves,
        health=tuple(of_health),
        differences=differences(study.chains),
        cost=cost_table(study),
        asked=asked(study.chains),
        picks=picks,
        picks_table=picks_table(study, picks, scores, shipped),
        rules_table=rules_table(picks, scores),
        held_out=scores,
        tasks=of_tasks,
        task_words=tuple(task_words(of_tasks, study.arms)),
        why=why,
        reasons_table=table,
        reasons=tuple(reasons(table, study.arms, _own_rewards(study.chains))),
        rollouts=shown,
        best=best(study.name, study.chains, picks, shipped),
        problems=(
            *read,
            *disagreement,
            *missing(study, picks, scores),
            *picks.problems,
            *(() if foreign else unshipped),
            *unread,
        ),
    )


def _last_steps(study: Study) -> dict[tuple[str, int], int]:
    return {(chain.arm, chain.seed): chain.saved_steps[-1] for chain in study.chains if chain.saved_steps}


def _fixed_steps(study: Study, scores: pd.DataFrame) -> Iterator[tuple[str, dict[tuple[str, int], int]]]:
    """Every step at which all chains were evaluated on test, but for one that is the last of all."""
    rows = scores[(scores["split"] == "test") & (scores["mode"] == "sampled") & scores["arm"].notna()]
    chains = {(chain.arm, chain.seed) for chain in study.chains}
    last = set(_last_steps(study).values())
    for step in sorted(rows["step"].astype(int).unique().tolist()):
        of_step = rows[rows["step"] == step]
        at = set(zip(of_step["arm"].tolist(), of_step["seed"].astype(int).tolist(), strict=True))
        if at >= chains and last != {step}:
            yield f"step {step}", dict.fromkeys(chains, step)


def _own_rewards(chains: Iterable[Chain]) -> dict[str, str]:
    return {chain.arm: str(field(chain.config, "reward.name") or chain.arm) for chain in chains}


def _why(study: Study) -> tuple[Why, list[str]]:
    """The rollouts of all chains, one after another, under the rewards that the arms train on (or the two usual)."""
    rewards = list(dict.fromkeys(_own_rewards(study.chains).values()))
    rewards = rewards if len(rewards) > 1 else list(dict.fromkeys([*rewards, "binary", "shaped"]))
    frame = study.history.frame
    size = width(int(frame["step"].max()) if len(frame) else 1)

    def of_chain(chain: Chain) -> tuple[Why | None, tuple[str, ...]]:
        light = read_rollouts(chain)
        return summarise(light.frame, rewards, size) if len(light.frame) else None, light.problems

    stored = [chain for chain in study.chains if has_rollouts(chain)]
    with working(of_chain, stored, least=_MANY_CHAINS) as found:
        whys = list(zip(stored, found, strict=True))
    problems = [problem for _, (_, of_one) in whys for problem in of_one]
    return join((chain.arm, chain.seed, why) for chain, (why, _) in whys if why is not None), problems


def _rollouts(study: Study) -> tuple[tuple[Rollout, ...], list[str]]:
    """A few rollouts of every arm, from its first seed."""
    shown: list[Rollout] = []
    problems: list[str] = []
    for arm in study.arms:
        chain = next(chain for chain in study.chains if chain.arm == arm)
        rollouts, unread = sample_rollouts(chain)
        shown.extend(rollouts)
        problems.extend(unread)
    return tuple(shown), problems


def _problems(study: Study, *held_out: HeldOut) -> Iterable[str]:
    return (*study.history.problems, *(problem for split in held_out for problem in split.problems))
