"""How chains share a machine."""

import sys

import pytest

from ablation import machine
from ablation.composing import compose_config
from ablation.config import ConfigError


@pytest.mark.parametrize(("cores", "chains", "workers"), [(2, 2, 1), (1, 1, 1), (16, 1, 15), (16, 4, 3)])
def test_a_chain_scores_with_the_cores_that_training_leaves(monkeypatch, cores, chains, workers):
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    monkeypatch.setattr(machine, "chains_at_once", lambda ranks: chains)
    assert machine.scoring_workers() == workers


def test_ranks_of_a_chain_share_its_cores(monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 16)
    monkeypatch.setattr(machine, "chains_at_once", lambda ranks: 1)
    assert machine.scoring_workers(4) == 3


def test_adapters_without_peft_are_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    machine.refuse_without_peft(compose_config([]))
    with pytest.raises(ConfigError, match=r"peft is not installed; type `pip install 'ablation-harness\[lora\]'`"):
        machine.refuse_without_peft(compose_config(["model.lora.rank=8"]))


def test_what_needs_gpus_is_refused_where_there_are_none(monkeypatch):
    monkeypatch.setattr(machine, "_has_gpus", lambda: False)
    monkeypatch.setattr(machine, "_installed", lambda name: name == "vllm")
    machine.refuse_without_gpus(compose_config([]))
    with pytest.raises(ConfigError, match=r"cluster\.fsdp=true needs a GPU for each rank, and none is here; set"):
        machine.refuse_without_gpus(compose_config(["cluster.fsdp=true", "cluster.ranks=2"]))
    with pytest.raises(ConfigError, match=r"generation\.engine=vllm_colocate needs a GPU, and none is here; set"):
        machine.refuse_without_gpus(compose_config(["generation=vllm_colocate"]))
