"""Sandboxes in every tier that this machine has."""

from collections.abc import Iterator

import pytest
from confined import Sandbox, started
from tiers_here import require

from ablation.scoring.containment.tiers import TIERS, Tier


@pytest.fixture(params=TIERS, ids=lambda tier: tier.name, scope="session")
def tier(request: pytest.FixtureRequest) -> Tier:
    require(request.param)
    return request.param


@pytest.fixture(params=[tier for tier in TIERS if tier.landlock], ids=lambda tier: tier.name, scope="session")
def file_tier(request: pytest.FixtureRequest) -> Tier:
    """A tier in which a candidate has files."""
    require(request.param)
    return request.param


@pytest.fixture(scope="session")
def sandbox(tier: Tier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with started(tier, tmp_path_factory.mktemp("work")) as running:
        yield running


@pytest.fixture(scope="session")
def file_sandbox(file_tier: Tier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with started(file_tier, tmp_path_factory.mktemp("work")) as running:
        yield running
