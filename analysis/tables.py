"""The tables of a report that join several findings. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.held_out import SCORES, by_checkpoint
from analysis.picks import Picks, Shipped, validation_picks
from analysis.sources.study import Study


def picks_table(study: Study, picks: Picks, scores: pd.DataFrame, shipped: Mapping[str, Shipped]) -> pd.DataFrame:
    """``picks.csv``: every chain's pick, its selection score beside its held-out scores.

    To the columns of `analysis.picks.Picks.table` come validation_* and test_* scores (NaN where the pick
    was not evaluated) with their task-clustered standard errors, ships and checkpoint.
    """
    chains = {(chain.arm, chain.seed): chain for chain in study.chains}
    evaluated = by_checkpoint(scores)
    rows = []
    for row in picks.table.to_dict("records"):
        arm, seed, step = row["arm"], row["seed"], row["step"]
        for split in ("validation", "test"):
            found = evaluated.get((split, arm, seed, step), {})
            for name in (f"{score}{end}" for score in SCORES for end in ("", "_se")):
                row[f"{split}_{name}"] = float(found.get(name, math.nan))
        row["ships"] = arm in shipped and shipped[arm].seed == seed
        row["checkpoint"] = chains[arm, seed].checkpoint(step)
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else [*picks.table.columns, "ships", "checkpoint"])


def rules_table(picks: Picks, scores: pd.DataFrame) -> pd.DataFrame:
    """The step that every other rule picks in every chain: spans, shared scores, validation."""
    if picks.others.empty:
        return picks.others
    by_validation = validation_picks(scores)
    keys = zip(picks.others["arm"], picks.others["seed"], strict=True)
    validation = pd.array([by_validation.get(key, pd.NA) for key in keys], dtype="Int64")
    table = picks.others.assign(validation=validation)
    steps = [column for column in table.columns if column not in ("arm", "seed")]
    return table.astype(dict.fromkeys(steps, "Int64"))


def held_out_table(study: Study, picks: Picks, scores: pd.DataFrame, split: str) -> pd.DataFrame:
    """Rows of one split for people: base first, then each chain's pick, last and other checkpoints.

    ``role`` is by this report's rule. Scores are of mode sampled; ``greedy`` is the solved rate of mode greedy.
    """
    rows = scores[(scores["split"] == split) & (scores["mode"] == "sampled")]
    greedy = scores[(scores["split"] == split) & (scores["mode"] == "greedy")].set_index("subject")["solved"]
    rows = rows.assign(greedy=rows["subject"].map(greedy))
    last = {(c.arm, c.seed): c.saved_steps[-1] for c in study.chains if c.saved_steps}
    return rows.assign(role=[_role(row, picks, last) for row in rows.to_dict("records")]).sort_values(
        ["kind", "arm", "seed", "step"], na_position="first", kind="stable", ignore_index=True
    )


def _role(row: Mapping[Any, Any], picks: Picks, last: Mapping[tuple[str, int], int]) -> str:
    if row["kind"] == "base":
        return "base"
    key = (row["arm"], int(row["seed"]))
    picked = picks.by_chain.get(key)
    roles = ["pick"] if picked is not None and picked.step == row["step"] else []
    roles += ["last"] if last.get(key) == row["step"] else []
    roles += ["fixed"] if "fixed" in str(row["roles"]).split(",") else []
    return ", ".join(roles) or "other"
