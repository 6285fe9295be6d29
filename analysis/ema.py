"""The exponential moving average of the selection rule, whole and streaming.

Imports nothing outside the standard library, so that a trainer can log ``reward/ema`` with it.
"""

import math
from collections.abc import Iterable

DEFAULT_SPAN = 5


class Ema:
    """Recursive EMA with alpha = 2 / (span + 1): E_1 = r_1, then E_t = alpha * r_t + (1 - alpha) * E_{t-1}.

    Equals pandas ``ewm(span=span, adjust=False)`` on values without gaps. A missing value (None, NaN or an
    infinity) leaves the average unchanged, whatever the length of the gap; pandas would age it instead.
    """

    def __init__(self, span: float = DEFAULT_SPAN, value: float = math.nan) -> None:
        """Start at ``value`` (NaN: before the first value), to resume a chain where a link ended.

        Raises:
            ValueError: the span is below 1.
        """
        if not span >= 1:
            raise ValueError(f"selection.span is {span}, and an EMA needs a span of at least 1 step: set 5")
        self.alpha = 2.0 / (span + 1.0)
        self.value = value

    def update(self, value: float | None) -> float:
        """Take the next step's value and return the average after it (NaN as long as all were missing)."""
        if value is None or not math.isfinite(value):
            return self.value
        if math.isnan(self.value):
            self.value = float(value)
        else:
            self.value = self.alpha * value + (1.0 - self.alpha) * self.value
        return self.value


def ema(values: Iterable[float | None], span: float = DEFAULT_SPAN) -> list[float]:
    """The EMA after each of ``values`` [steps], in their order; the formula of `Ema`."""
    average = Ema(span)
    return [average.update(value) for value in values]


def formula(span: float = DEFAULT_SPAN) -> str:
    """The formula in words, as it is printed on every plot."""
    alpha = 2.0 / (span + 1.0)
    return f"EMA span {span:g}: E₁ = r₁, Eₜ = {alpha:.3g}·rₜ + {1 - alpha:.3g}·Eₜ₋₁"
