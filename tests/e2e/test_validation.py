"""Scores of validation tasks at every save: they are logged, and a chain trains as if nobody had looked."""

from pathlib import Path

import pytest

from ablation import metrics
from tests.conftest import command
from tests.e2e.commands import with_base
from tests.e2e.conftest import TINY, Trained
from tests.e2e.test_interruptions import deterministic_history
from tests.e2e.test_spine import rows, weights

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("training")]


def without_eval(history: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    return {
        step: {name: value for name, value in values.items() if not name.startswith("eval/")}
        for step, values in history.items()
    }


def test_a_chain_trains_as_if_nobody_had_looked(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    ended = command("ablation.run", "reward=shaped", "study=blind", *TINY, "evaluation.save_tasks=0", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    blind, looked = cwd / "runs" / "blind" / "shaped-s0", study.folder / "shaped-s0"
    assert not any(name.startswith("eval/") for row in rows(blind) for name in row)
    assert deterministic_history(blind) == without_eval(deterministic_history(looked))
    assert weights(blind, 4) == weights(looked, 4)


@pytest.mark.long
def test_scores_are_logged_at_the_saved_steps_alone(study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    ended = command("ablation.run", "reward=shaped", "study=some", *TINY, "chain.save_every=2", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    logged = rows(cwd / "runs" / "some" / "shaped-s0")
    assert [metrics.EVAL_SOLVED in row for row in logged] == [False, True, False, True]
    assert [row[metrics.TIME_VALIDATE] is not None for row in logged] == [False, True, False, True]
    # Six tasks of two samples: the same at a step, whatever the grid.
    assert [row[metrics.EVAL_PASS_RATIO] for row in logged if metrics.EVAL_SOLVED in row] == [
        row[metrics.EVAL_PASS_RATIO] for row in rows(study.folder / "shaped-s0") if row["step"] in (2, 4)
    ]
    assert all(
        row[metrics.EVAL_SOLVED] * 12 == pytest.approx(round(row[metrics.EVAL_SOLVED] * 12)) for row in logged[1::2]
    )
