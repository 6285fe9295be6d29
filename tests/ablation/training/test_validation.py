"""Scores of the tasks that are asked when a candidate is saved."""

import math
from typing import Any

import pandas as pd
import pytest

from ablation import metrics
from ablation.scoring.verdict import Verdict
from ablation.training.validation import eval_metrics
from analysis.held_out import pass_at_ks


def verdict(task: str, passed: int | None, total: int = 4) -> Verdict:
    of_tests: dict[str, Any] = {f"test_{n}": "passed" if n < (passed or 0) else "failed" for n in range(total)}
    return Verdict(task, "infrastructure" if passed is None else "scored", of_tests, "none", 0.1)


def test_means_are_over_scored_samples_and_pass_at_k_is_that_of_the_report():
    of_tasks = {"a": [4, 4, 0, 2, 1], "b": [0, 0, 0, 4, None], "c": [4, 4, 4, 4, 4]}
    verdicts = [verdict(task, passed) for task, samples in of_tasks.items() for passed in samples]
    values = eval_metrics(verdicts)
    scored = [(task, passed) for task, samples in of_tasks.items() for passed in samples if passed is not None]
    assert values[metrics.EVAL_PASS_RATIO] == pytest.approx(sum(passed for _, passed in scored) / 4 / len(scored))
    assert values[metrics.EVAL_SOLVED] == pytest.approx(sum(passed == 4 for _, passed in scored) / len(scored))
    frame = pd.DataFrame([(task, float(passed == 4)) for task, passed in scored], columns=["task_id", "solved"])
    for k, expected in ((k, pass_at_ks(frame, (1, 2, 4))[f"pass_at_{k}"]) for k in (1, 2, 4)):
        assert values[metrics.eval_pass_at(k)] == pytest.approx(expected)
    assert metrics.eval_pass_at(8) not in values


def test_without_a_score_nothing_is_said():
    values = eval_metrics([verdict("a", None), verdict("b", None)])
    assert values == {metrics.EVAL_PASS_RATIO: None, metrics.EVAL_SOLVED: None}
    assert not any(value is not None and math.isnan(value) for value in values.values())
