import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.ema import Ema, ema, formula


def test_the_published_example_uses_adjust_false() -> None:
    assert ema([0.2, 0.9, 0.3]) == pytest.approx([0.2, 0.4333333, 0.3888889])


@pytest.mark.parametrize("span", [1, 3, 5, 8, 20])
def test_equals_pandas_ewm_without_adjustment(span: int) -> None:
    values = np.random.default_rng(span).normal(size=80)
    expected = pd.Series(values).ewm(span=span, adjust=False).mean()
    assert ema(values, span) == pytest.approx(expected.tolist())


def test_missing_values_leave_the_average_unchanged() -> None:
    averages = ema([None, 0.2, math.nan, math.inf, 0.9])
    assert math.isnan(averages[0])
    assert averages[1:] == pytest.approx([0.2, 0.2, 0.2, 0.4333333])


def test_an_average_continues_where_a_link_ended() -> None:
    values = [0.1, 0.7, 0.4, 0.9, 0.2]
    first = Ema()
    for value in values[:2]:
        first.update(value)
    second = Ema(value=first.value)
    assert [second.update(value) for value in values[2:]] == ema(values)[2:]


def test_a_span_below_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="span"):
        Ema(0.5)


def test_the_printed_formula_has_the_weights_that_are_used() -> None:
    assert "0.333·rₜ" in formula(5)
    assert Ema(5).alpha == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("analysis.ema", ("numpy", "pandas", "matplotlib", "scipy", "torch")),
        ("analysis.selection", ("matplotlib", "torch")),
        ("analysis.report", ("torch", "transformers")),
    ],
)
def test_modules_import_without_what_they_do_not_need(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([name for name in {unwanted!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
