from dataclasses import asdict

import hydra
import pytest
from omegaconf import OmegaConf

from ablation.composing import CONF_DIR, chain_config, compose_config
from ablation.config import Config, ConfigError, PromptConfig, load, parse, save
from ablation.tasks.load import load_tasks
from ablation.training.base_model import ensure_base_model


def compose(*overrides: str) -> Config:
    return compose_config(overrides)


@pytest.mark.parametrize(
    ("override", "found", "advice"),
    [
        ("grpo.train_batch_size=44", "train_batch_size=44", "grpo.train_batch_size=40"),
        ("grpo.num_generations=1", "num_generations=1", "grpo.num_generations=8"),
        ("grpo.num_iterations=2", "num_iterations=2", "grpo.num_iterations=1"),
        ("grpo.steps_per_generation=4", "steps_per_generation=4", "or to null"),
        ("grpo.per_device_train_batch_size=7", "per_device_train_batch_size=7", "a divisor of 64"),
        ("sampling.top_p=0.9", "top_p=0.9", "sampling.allow_truncated=true"),
        ("sampling.temperature=0.7", "temperature=0.7", "temperature=1.0"),
        ("chain.save_every=80", "saves 1 candidates", "chain.steps=160"),
        ("chain.save_every=0", "chain.save_every=0", "set chain.save_every=1"),
        ("selection.skip_first=-1", "selection.skip_first=-1", "selection.skip_first=0"),
        ("grpo.loss_type=dappo", "grpo.loss_type=dappo", "did you mean grpo.loss_type=dapo?"),
        ("grpo.train_batch_size=0", "grpo.train_batch_size=0", "set grpo.train_batch_size=1"),
        ("cluster.scoring_workers=0", "cluster.scoring_workers=0", "cluster.scoring_workers=1"),
        ("study=a/b", "study='a/b'", "letters, digits"),
        ("tasks.train=4", "tasks.train=4", "tasks.train=8"),
        ("evaluation.samples=1", "evaluation.samples=1", "evaluation.samples=5"),
        ("tracking.mode=wandb", "tracking.mode='wandb'", "tracking=online"),
        ("chain.steps=many", "chain.steps", "--cfg job"),
        ("sampling.max_prompt_length=0", "sampling.max_prompt_length=0", "set sampling.max_prompt_length=1"),
        ("sampling.long_prompts=cut", "sampling.long_prompts=cut", "expected one of drop, refuse"),
        ("model.prompt.style=chatty", "model.prompt.style=chatty", "did you mean model.prompt.style=chat?"),
        ("model.prompt.code='{pompt}'", "KeyError: 'pompt'", "{prompt}, {entry_point} and {module}"),
        ("model.prompt.instruction=Hello", "model.prompt.instruction leaves out", "add it to model.prompt.instruction"),
        ("generation.engine=vlm", "generation.engine=vlm is unknown", "did you mean generation.engine=vllm_"),
        ("generation.gpu_memory_utilization=30", "no share of a GPU's memory", "generation.gpu_memory_utilization=0.3"),
        ("generation.stop_logp_difference=0.01", "is below generation.warn_logp_difference=0.1", "to that or more"),
    ],
)
def test_a_configuration_that_cannot_run_is_refused_in_one_sentence(override, found, advice):
    with pytest.raises(ConfigError) as refusal:
        compose(override)
    message = str(refusal.value)
    assert found in message
    assert advice in message
    assert "\n" not in message


def test_truncated_sampling_is_allowed_to_those_who_insist():
    assert compose("sampling.top_p=0.9", "sampling.allow_truncated=true").sampling.top_p == 0.9


def test_a_batch_is_laid_out_over_accumulation_steps():
    layout = compose("grpo.per_device_train_batch_size=16").grpo.layout(world_size=1)
    assert (layout.per_device_train_batch_size, layout.gradient_accumulation_steps) == (16, 4)
    layout = compose("grpo.gradient_accumulation_steps=2").grpo.layout(world_size=2)
    assert (layout.per_device_train_batch_size, layout.gradient_accumulation_steps) == (16, 2)
    with pytest.raises(ConfigError, match="cut groups of 8 apart"):
        compose().grpo.layout(world_size=16)


def test_the_identity_of_an_arm_is_its_scientific_part():
    base = compose()
    for execution in ("seed=3", "chain.steps=160", "tracking=off", "grpo.per_device_train_batch_size=8"):
        assert compose(execution).scientific_hash == base.scientific_hash, execution
    for science in ("reward=shaped", "grpo.learning_rate=1e-4", "model=tiny_weak", "tasks.seed=1"):
        assert compose(science).scientific_hash != base.scientific_hash, science


def test_how_a_model_is_asked_makes_an_arm_but_its_defaults_leave_older_arms_as_they_were():
    base = compose()
    assert base.model.prompt == PromptConfig()
    assert "prompt" not in base.scientific()["model"]
    assert not {"max_prompt_length", "long_prompts"} & set(base.scientific()["sampling"])
    for science in ("model.prompt.system=Hello", "model.prompt.style=plain", "sampling.long_prompts=refuse"):
        assert compose(science).scientific_hash != base.scientific_hash, science
    asked = compose("model.prompt.chat_template_kwargs={enable_thinking: false}").scientific()["model"]["prompt"]
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert "{prompt}" in asked["code"]


def test_every_option_of_every_group_composes():
    for option in ("reward=threshold", "reward=binary_partial", "model=tiny_weak", "tracking=online"):
        assert compose(option).study == "default"
    assert compose("experiment=demo").study == "demo"


def test_a_stored_configuration_loads_as_it_was(tmp_path):
    config = compose("reward=threshold", "seed=2")
    save(config, tmp_path / "config.yaml")
    assert load(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("overrides", "arm"),
    [
        (["reward=binary,shaped", "seed=0,1"], "shaped"),
        (["reward=binary,shaped", "grpo.learning_rate=1e-4,2e-4"], "shaped-learning_rate=0.0001"),
        (["reward=binary,shaped", "model=tiny,tiny_weak"], "shaped-tiny_weak"),
        (["reward=shaped,binary", "model=tiny_weak"], "shaped"),
    ],
)
def test_arms_are_named_by_the_reward_and_what_else_the_sweep_varies(overrides, arm):
    job = ["reward=shaped", "grpo.learning_rate=1e-4", "model=tiny_weak"]
    with hydra.initialize_config_dir(CONF_DIR, version_base="1.3"):
        composed = hydra.compose("config", overrides=job)
    assert chain_config(composed, overrides).arm == arm


def test_an_unknown_reward_parameter_is_refused():
    with hydra.initialize_config_dir(CONF_DIR, version_base="1.3"):
        composed = hydra.compose("config", overrides=["reward=threshold", "+reward.params.minimun=0.3"])
    with pytest.raises(ConfigError, match="minimum"):
        chain_config(composed, [])


def test_every_key_of_the_schema_can_be_typed_without_a_plus():
    with hydra.initialize_config_dir(CONF_DIR, version_base="1.3"):
        composed = OmegaConf.to_container(hydra.compose("config"))
    typed = asdict(parse(OmegaConf.create(composed)))

    def missing(schema: dict, found: dict, prefix: str = "") -> list[str]:
        keys = [prefix + key for key in schema if key not in found]
        for key, value in schema.items():
            if isinstance(value, dict) and key in found:
                keys += missing(value, found[key], f"{prefix}{key}.")
        return keys

    assert missing(typed, composed) == []


def test_a_base_model_that_is_not_there_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        ensure_base_model(compose(f"model.path={tmp_path}"))


def test_a_context_longer_than_the_models_is_refused_before_it_is_pre_trained(tmp_path):
    with pytest.raises(
        ConfigError, match=r"exceed the 256 positions of the model; set sampling\.max_prompt_length=216"
    ):
        ensure_base_model(compose("sampling.max_prompt_length=300", f"runs_dir={tmp_path}"))


def test_keys_that_katas_have_no_use_for_are_refused_rather_than_ignored():
    with pytest.raises(ConfigError, match=r"tasks\.path=/data has no use"):
        load_tasks(compose("tasks.path=/data").tasks)


@pytest.mark.parametrize(
    ("overrides", "found", "advice"),
    [
        (
            ["generation=vllm_colocate", "generation.tensor_parallel_size=2"],
            "does not divide cluster.ranks=1",
            "set generation.tensor_parallel_size=1",
        ),
        (
            ["generation=vllm_server", "generation.tensor_parallel_size=3"],
            "does not divide the 4 attention heads of tiny",
            "a divisor of 4",
        ),
        (
            ["generation=vllm_server", "cluster=slurm", "cluster.gpus_per_node=1"],
            "1 ranks and 1 GPUs of the vLLM server are more than the 1 GPUs of a job",
            "cluster.gpus_per_node=2",
        ),
        (
            ["model.lora.rank=8", "cluster.fsdp=true", "cluster.ranks=2"],
            "adapters alone, and those cannot be merged from pieces",
            "set cluster.fsdp=false",
        ),
        (["model.lora.rank=0"], "model.lora.rank=0 is too small", "set model.lora.rank=1"),
        (["model.lora.rank=8", "model.lora.alpha=0"], "model.lora.alpha=0 is too small", "set model.lora.alpha=1"),
    ],
)
def test_what_does_not_fit_the_chain_is_refused(overrides: list[str], found: str, advice: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        compose_config(overrides)
    assert found in str(refusal.value)
    assert advice in str(refusal.value)
