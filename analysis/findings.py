"""Everything that a report says of a study, put together from the pure parts; no pictures, no files."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.asked import Asked, asked
from analysis.best import best
from analysis.compare import Comparison, answer, compare_arms, comparison_table, conditional_table
from analysis.differences import Differences, differences
from analysis.held_out import subject_scores
from analysis.missing import missing
from analysis.picks import Picks, pick_all, rule_of, ship_all
from analysis.progress import progress_of
from analysis.sources.held_out import HeldOut, load_test, load_validation
from analysis.sources.rollouts import Rollout, sample_rollouts
from analysis.sources.study import Study
from analysis.tables import picks_table, rules_table


@dataclass(frozen=True)
class Findings:
    """What a report shows, in its order; tables are frames with one row a line."""

    study: Study
    answer: tuple[str, ...]  # sentences on the picks, test split
    comparisons: tuple[Comparison, ...]
    comparison: pd.DataFrame  # comparison.csv
    by_task: pd.DataFrame  # two given checkpoints over the same tasks
    differences: Differences
    asked: Asked
    picks: Picks
    picks_table: pd.DataFrame  # picks.csv
    rules_table: pd.DataFrame
    held_out: pd.DataFrame  # held_out.csv
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
    steps = {key: picked.step for key, picked in picks.by_chain.items()}
    progress = progress_of(study)
    compared = compare_arms(test.frame, scores, study.arms, steps, "pick", progress)
    compared += compare_arms(test.frame, scores, study.arms, _last_steps(study), "last", progress)
    by_task = conditional_table(test.frame, study.arms, steps)
    rollouts, unread = _rollouts(study)
    apart = differences(study.chains)
    read = _problems(study, validation, test)
    return Findings(
        study=study,
        answer=tuple(answer(compared)),
        comparisons=tuple(compared),
        comparison=comparison_table(compared, by_task),
        by_task=by_task,
        differences=apart,
        asked=asked(study.chains),
        picks=picks,
        picks_table=picks_table(study, picks, scores, shipped),
        rules_table=rules_table(picks, scores),
        held_out=scores,
        rollouts=rollouts,
        best=best(study.name, study.chains, picks, shipped),
        problems=(*read, *disagreement, *missing(study, picks, scores), *picks.problems, *unshipped, *unread),
    )


def _last_steps(study: Study) -> dict[tuple[str, int], int]:
    return {(chain.arm, chain.seed): chain.saved_steps[-1] for chain in study.chains if chain.saved_steps}


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
