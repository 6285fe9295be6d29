"""What chains cost: hours, and where the time of their steps went. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from ablation import metrics
from analysis.history import by_chain
from analysis.sources.study import Chain, Study

PARTS = {
    "generate": metrics.TIME_GENERATE,
    "sync": metrics.TIME_SYNC,
    "score": metrics.TIME_SCORE,
    "update": metrics.TIME_UPDATE,
}
_MEDIANS = {
    "step_s": metrics.TIME_STEP,
    "tokens_generated_per_s": metrics.TOKENS_GENERATED,
    "tokens_trained_per_s": metrics.TOKENS_TRAINED,
    "mfu": metrics.MFU,
}
COLUMNS = ["arm", "seed", "hours", "gpu_hours", *PARTS, *_MEDIANS]

Curves = Mapping[str, Mapping[tuple[str, int], Mapping[int, float]]]


def cost_table(study: Study) -> pd.DataFrame:
    """``cost.csv``, a row a chain: hours of its links and of its GPUs, parts of its steps' time, medians over steps.

    NaN where it is not known.
    """
    names = (metrics.GPU_HOURS, *PARTS.values(), *_MEDIANS.values())
    curves: Curves = {name: by_chain(study.history.frame, name) for name in names}
    return pd.DataFrame([_of_chain(chain, curves) for chain in study.chains], columns=COLUMNS)


def _of_chain(chain: Chain, curves: Curves) -> dict[str, object]:
    key = (chain.arm, chain.seed)
    of_metric = {name: pd.Series(of_chains.get(key, {}), dtype=float) for name, of_chains in curves.items()}
    whole = of_metric[metrics.TIME_STEP].sum()
    return {
        "arm": chain.arm,
        "seed": chain.seed,
        "hours": sum((_hours(link.start, link.end) for link in chain.links), 0.0) if chain.links else math.nan,
        "gpu_hours": of_metric[metrics.GPU_HOURS].max(),
        **{part: of_metric[name].sum() / whole if whole else math.nan for part, name in PARTS.items()},
        **{column: of_metric[name].median() for column, name in _MEDIANS.items()},
    }


def _hours(start: str | None, end: str | None) -> float:
    """How long a link ran; NaN where its begin or its end is not known."""
    try:
        return (datetime.fromisoformat(end or "") - datetime.fromisoformat(start or "")).total_seconds() / 3600
    except (ValueError, TypeError):
        return math.nan
