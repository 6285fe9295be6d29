"""Which checkpoint of a chain is picked, and which seed of an arm ships. Pure.

The rule is that of the people who picked ``global_step_45`` of the study that this project reproduces:
argmax, over the saved steps without the first, of the EMA of the arm's own training reward. The reward logged
at step t was earned by the policy before update t, so it scores checkpoint t - 1 rather than t; the rule
ignores that, and so does this module.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from ablation import metrics
from analysis.ema import DEFAULT_SPAN, ema, formula
from analysis.errors import AnalysisError

SPANS = (1, 3, 5, 8, 10, 20)  # steps; the spans for which a report shows how the pick moves


class Rule(NamedTuple):
    """Argmax over saved steps, without the first ``skip_first``, of the EMA (span in steps) of ``metric``.

    With ``save_every`` (steps between saves) the first are those of the save grid, so that a checkpoint that
    was lost skips no other; without it, None, they are those of the saved steps.
    """

    span: float = DEFAULT_SPAN
    skip_first: int = 1
    metric: str = metrics.REWARD_TRAIN
    save_every: int | None = None

    @property
    def text(self) -> str:
        """The rule in words, with its formula."""
        saved = f"saved steps (every {self.save_every})" if self.save_every else "saved steps"
        skipped = {0: f"all {saved}", 1: f"the {saved} without the first"}.get(
            self.skip_first, f"the {saved} without the first {self.skip_first}"
        )
        return f"argmax over {skipped} of {self.metric} smoothed by {formula(self.span)}"


class Pick(NamedTuple):
    """The chosen checkpoint: its step, and its score (the EMA there, in units of the rule's metric)."""

    step: int
    score: float


def candidate_steps(saved_steps: Iterable[int], rule: Rule) -> list[int]:
    """The saved grid steps that the rule may choose from, ascending: all but the first ``skip_first``."""
    saved = sorted(set(saved_steps))
    if rule.save_every is None:
        return saved[rule.skip_first :]
    return [step for step in saved if step > rule.skip_first * rule.save_every]


def smoothed(rewards: Mapping[int, float | None], span: float) -> dict[int, float]:
    """The EMA after every step, over all steps in ascending order; NaN before the first value."""
    steps = sorted(rewards)
    return dict(zip(steps, ema((rewards[step] for step in steps), span), strict=True))


def pick(rewards: Mapping[int, float | None], saved_steps: Iterable[int], rule: Rule) -> Pick:
    """The checkpoint that ``rule`` chooses for one chain; of equal scores the earliest step.

    Args:
        rewards: the rule's metric by step, stitched.
        saved_steps: steps with a complete checkpoint on the save grid.

    Raises:
        AnalysisError: no candidate with a score remains.
    """
    candidates = candidate_steps(saved_steps, rule)
    averages = smoothed(rewards, rule.span)
    scores = {step: averages[step] for step in candidates if math.isfinite(averages.get(step, math.nan))}
    if not scores:
        raise AnalysisError(_no_candidate(list(saved_steps), candidates, rewards, rule))
    best = max(scores, key=lambda step: (scores[step], -step))
    return Pick(best, scores[best])


def picks_by_span(
    rewards: Mapping[int, float | None],
    saved_steps: Sequence[int],
    rule: Rule,
    spans: Sequence[float] = SPANS,
) -> dict[float, Pick]:
    """How the pick moves with the span: {span: pick}, all else as in ``rule``."""
    return {span: pick(rewards, saved_steps, rule._replace(span=span)) for span in spans}


def ship(validation: pd.DataFrame, picks: Mapping[int, Pick], by: str = "solved") -> int:
    """The seed of one arm that ships: the one whose pick has the best mean validation score.

    A pick's own selection score never counts: it is the maximum of a noisy curve. Equal scores go to the
    better pass ratio, then to the lowest seed.

    Args:
        validation: held-out rows of the arm with columns split, seed, step, solved and pass_ratio, split all
            "validation".
        picks: the pick of every seed.
        by: "solved" or "pass_ratio".

    Raises:
        AnalysisError: a row is of another split (choosing on test would spoil the test), or no pick was
            evaluated.
    """
    other = sorted(set(validation["split"].astype(str)) - {"validation"})
    if other:
        raise AnalysisError(
            f"Rows of split {', '.join(other)} were given to choose the seed that ships, where only "
            "validation rows may choose: load them with analysis.sources.held_out.load_validation."
        )
    scored = _mean_scores(validation, {(seed, chosen.step) for seed, chosen in picks.items()}, by)
    if not scored:
        raise AnalysisError(
            "No pick has a validation score, so no seed can be chosen to ship: run `python -m ablation.evaluate STUDY`."
        )
    return max(scored, key=lambda seed: (*scored[seed], -seed))


def _mean_scores(validation: pd.DataFrame, at: set[tuple[int, int]], by: str) -> dict[int, tuple[float, float]]:
    """{seed: means of ``by`` and of the pass ratio} at these seeds' steps, over the tasks that all of them have scores
    of; of seeds with one."""
    rows = validation[["seed", "step", "task_id"]].assign(
        main=validation[by].astype(float), second=validation["pass_ratio"].astype(float)
    )
    places = pd.Series(zip(rows["seed"], rows["step"], strict=True), index=rows.index, dtype=object)
    rows = rows[places.isin(at)].dropna(subset="main")
    seeds = rows.groupby("task_id")["seed"].nunique()
    rows = rows[rows["task_id"].isin(seeds.index[seeds == rows["seed"].nunique()])]
    means = rows.groupby("seed")[["main", "second"]].mean().fillna(-math.inf)
    return {int(str(seed)): (main, second) for seed, main, second in means.itertuples(name=None)}


def _no_candidate(saved: list[int], candidates: list[int], rewards: Mapping[int, float | None], rule: Rule) -> str:
    if candidates:
        shown = ", ".join(map(str, candidates[:10])) + (", …" if len(candidates) > 10 else "")
        found = f"none of the candidates {shown} has a {rule.metric} in the history of {len(rewards)} steps"
    else:
        grid = f" of every {rule.save_every}" if rule.save_every else ""
        found = f"{len(saved)} saved steps leave none once the first {rule.skip_first}{grid} are skipped"
    return (
        f"There is no candidate to pick: {found}; train on with a higher chain.steps, "
        "or save more often with a lower chain.save_every."
    )
