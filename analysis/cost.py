"""What chains cost: hours, and where the time of their steps went. Pure."""

import math
from collections.abc import Mapping
from datetime import datetime
from statistics import median

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
    logged = {
        name: [value for value in of_chains.get(key, {}).values() if not math.isnan(value)]
        for name, of_chains in curves.items()
    }
    whole = sum(logged[metrics.TIME_STEP])
    return {
        "arm": chain.arm,
        "seed": chain.seed,
        "hours": sum((_hours(link.start, link.end) for link in chain.links), 0.0) if chain.links else math.nan,
        "gpu_hours": max(logged[metrics.GPU_HOURS], default=math.nan),
        **{part: sum(logged[name]) / whole if whole else math.nan for part, name in PARTS.items()},
        **{column: median(logged[name]) if logged[name] else math.nan for column, name in _MEDIANS.items()},
    }


def _hours(start: str | None, end: str | None) -> float:
    """How long a link ran; NaN where its begin or its end is not known."""
    try:
        return (datetime.fromisoformat(end or "") - datetime.fromisoformat(start or "")).total_seconds() / 3600
    except (ValueError, TypeError):
        return math.nan
