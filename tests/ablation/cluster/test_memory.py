import pytest
import torch
from peft import get_peft_model
from transformers import Qwen3Config, Qwen3ForCausalLM

from ablation.cluster.memory import adapter_parameters, gpu_memory, memory_text, qwen3_parameters, refuse_too_large
from ablation.cluster.planning import plan_text
from ablation.composing import compose_config
from ablation.config import Architecture, Config, ConfigError, LoraConfig
from ablation.training.lora import adapters, trained_parameters

EXPERIMENT = ("experiment=pymethods2test_8b",)


def composed(*overrides: str) -> Config:
    config = compose_config([*EXPERIMENT, *overrides])
    config.arm = config.reward.name
    return config


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_those_of_the_model_that_transformers_makes(tied: bool):
    sizes = Architecture(tie_word_embeddings=tied)
    named = {name: value for name, value in vars(sizes).items() if name != "tie_word_embeddings"}
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**named, tie_word_embeddings=tied))
    assert qwen3_parameters(sizes) == model.num_parameters()


@pytest.mark.parametrize(
    ("model", "billions"), [("qwen3_8b_sft", 8.19), ("qwen3_1_7b", 1.72), ("qwen3_0_6b", 0.596)]
)  # as their model cards say: 8.2B, 1.7B, 0.6B
def test_models_have_the_parameters_of_their_cards(model: str, billions: float):
    sizes = compose_config([f"model={model}"]).model.architecture
    assert qwen3_parameters(sizes) / 1e9 == pytest.approx(billions, rel=0.01)


def test_the_8b_experiment_fits_and_says_how():
    config = composed()
    parameters = qwen3_parameters(config.model.architecture)
    refuse_too_large(config, parameters)
    memory = gpu_memory(config, parameters)
    assert memory.state == pytest.approx(16 * 8.19e9 / 16, rel=0.01)  # 16 bytes a parameter on 16 ranks
    # 36 layers x 8 heads x 128, keys and values in bf16: 147,456 bytes a token; vLLM has 40 GB less its weights.
    assert memory.cached_tokens == pytest.approx((40e9 - 2 * 8.19e9) / 147_456, rel=0.01)
    assert "weights, gradients and Adam 8.2" in memory_text(config, parameters)
    assert "of 80 GB." in memory_text(config, parameters)


@pytest.mark.parametrize(
    ("overrides", "advice"),
    [
        (["cluster.fsdp=false"], "cluster.fsdp=true."),
        (["cluster.nodes=1", "cluster.ranks=2", "cluster.gpus_per_node=2"], "cluster.fsdp=true cluster.ranks=4"),
        (["grpo.per_device_train_batch_size=16"], "grpo.per_device_train_batch_size=8"),
        (["generation.gpu_memory_utilization=0.9"], "a smaller generation.gpu_memory_utilization"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_type(overrides: list[str], advice: str):
    config = composed(*overrides)
    with pytest.raises(ConfigError) as refusal:
        refuse_too_large(config, qwen3_parameters(config.model.architecture))
    assert "a GPU would hold" in str(refusal.value)
    assert advice in str(refusal.value)


def test_the_plan_shows_jobs_gpus_disk_and_memory():
    plan = plan_text([composed(f"seed={seed}", "cluster.step_min=45", "cluster.startup_min=0", "cluster.save_min=0")
                      for seed in range(3)])  # fmt: skip
    # 80 steps of 45 min are 60 hours, and 10 s of closing in each of the jobs; on 16 GPUs, by 3 chains.
    assert "3 chains: 180.1 hours of jobs, 2880.8 GPU hours" in plan
    assert "weights, gradients and Adam 8.2" in plan
    assert "2.5 TB of disk at the peak" in plan


def test_adapters_are_counted_as_peft_makes_them():
    sizes = Architecture()
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**vars(sizes)))
    made = get_peft_model(model, adapters(LoraConfig(rank=6)))
    assert adapter_parameters(sizes, 6) == trained_parameters(made)


def test_of_an_8b_with_adapters_a_gpu_holds_the_model_once_in_bf16():
    config = composed("model=qwen3_8b_sft_lora", "cluster.fsdp=false", "cluster.ranks=4", "cluster.nodes=1")
    parameters = qwen3_parameters(config.model.architecture)
    trained = adapter_parameters(config.model.architecture, 32)
    assert gpu_memory(config, parameters).state == 2 * parameters + 16 * trained
    assert trained / 1e6 == pytest.approx(87, rel=0.01)
    refuse_too_large(config, parameters)
    assert "weights, gradients and Adam of adapters 17.8" in memory_text(config, parameters)


def test_a_share_that_vllms_weights_do_not_fit_into_is_refused():
    config = composed("generation.gpu_memory_utilization=0.15")
    with pytest.raises(ConfigError, match=r"12\.0 GB, is less than .*18\.2 GB; set .*gpu_memory_utilization=0\.23"):
        refuse_too_large(config, qwen3_parameters(config.model.architecture))
