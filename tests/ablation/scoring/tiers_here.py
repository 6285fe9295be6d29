"""Which tiers of containment a test can count on."""

import os

import pytest

from ablation.scoring.containment.choose import choose
from ablation.scoring.containment.tiers import SandboxError, Tier


def require(tier: Tier) -> None:
    """A skip where the tier does not hold, a failure where ABLATION_REQUIRE names its bubblewrap."""
    try:
        choose(tier.name)
    except SandboxError as error:
        if tier.bubblewrap and "bubblewrap" in os.environ.get("ABLATION_REQUIRE", "").split(","):
            raise
        pytest.skip(str(error))
