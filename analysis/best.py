"""``best.json``: every chain's pick, and the seed of each arm that ships. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.picks import SHIP_BY, Picks, Shipped, rule_text
from analysis.sources.study import Chain


def best(study: str, chains: Sequence[Chain], picks: Picks, shipped: Mapping[str, Shipped]) -> dict[str, Any]:
    """The content of ``best.json``; ``shipped`` of an arm without validation scores is null.

    ``score`` is the EMA that the rule maximised, ``checkpoint`` the folder of the weights, and ``by`` the
    validation score that chose the seed, never the seed's own maximum.
    """
    arms: dict[str, Any] = {}
    for chain in chains:
        arm = arms.setdefault(chain.arm, {"chains": [], "shipped": None})
        picked = picks.by_chain.get((chain.arm, chain.seed))
        if picked is None:
            continue
        place = {"seed": chain.seed, "step": picked.step}
        checkpoint = chain.checkpoint(picked.step)
        arm["chains"].append({**place, "score": picked.score, "checkpoint": checkpoint})
        if chain.arm in shipped and shipped[chain.arm].seed == chain.seed:
            by = f"validation {SHIP_BY} {shipped[chain.arm].score:.4f}"
            arm["shipped"] = {**place, "checkpoint": checkpoint, "by": by}
    return {"study": study, "rule": rule_text(chains, picks.rule), "arms": arms}
