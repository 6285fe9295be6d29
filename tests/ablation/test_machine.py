"""How chains share a machine."""

import pytest

from ablation import machine


@pytest.mark.parametrize(("cores", "chains", "workers"), [(2, 2, 1), (1, 1, 1), (16, 1, 15), (16, 4, 3)])
def test_a_chain_scores_with_the_cores_that_training_leaves(monkeypatch, cores, chains, workers):
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    monkeypatch.setattr(machine, "chains_at_once", lambda ranks: chains)
    assert machine.scoring_workers() == workers


def test_ranks_of_a_chain_share_its_cores(monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 16)
    monkeypatch.setattr(machine, "chains_at_once", lambda ranks: 1)
    assert machine.scoring_workers(4) == 3
