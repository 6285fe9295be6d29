"""What the command of the ablation does where it trains nothing itself: it plans, or submits."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download

from ablation.cluster.disk import parameters_of
from ablation.cluster.memory import refuse_too_large
from ablation.cluster.pace import pace_of, refuse_short_time, too_few_links
from ablation.cluster.planning import plan_text
from ablation.cluster.submission import refuse_without_slurm, standing_table, submit
from ablation.config import Config, ConfigError
from ablation.machine import refuse_without_gpus, refuse_without_peft, refuse_without_vllm
from ablation.training.asking import how_asked
from ablation.training.base_model import ensure_base_model
from ablation.training.chain import chain_dir, history_rows

_OF_A_MODEL = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


def without_training(configs: Sequence[Config], command: str) -> str | None:
    """Plans or submits the chains of ``configs`` when that is asked for; returns what to print.

    None when this process is to train them itself. Raises ConfigError for what cannot be submitted.
    """
    kinds = {config.cluster.kind for config in configs}
    if len(kinds) > 1:
        raise ConfigError(f"the sweep asks for cluster={','.join(sorted(kinds))}; choose one for all of its chains.")
    if configs[0].plan:
        return plan_text(configs)
    for config in configs:
        if config.cluster.container is None:  # which brings its own
            if config.generation.vllm:
                refuse_without_vllm(f"generation.engine={config.generation.engine}", "generation=transformers")
            refuse_without_peft(config)
    if kinds == {"local"}:
        for config in configs:
            refuse_without_gpus(config)
        return None
    refuse_without_slurm()
    for config in configs:
        _look_ahead(config)
    for config in configs:
        _make_ready(config)
    return standing_table(submit(configs, command))


def _look_ahead(config: Config) -> None:
    """Says or refuses what the time of the jobs will not suffice for, or the memory of their GPUs."""
    parameters = parameters_of(config) if config.cluster.gpus else None
    if parameters is not None:
        refuse_too_large(config, parameters)
    pace = pace_of(config)
    refuse_short_time(config, pace)
    done = max((row["step"] for row in history_rows(chain_dir(config))), default=0)
    warning = too_few_links(config, pace, done)
    if warning:
        print(warning, flush=True)


def _make_ready(config: Config) -> None:
    """Makes or downloads here, where there is a network, what the jobs read: model, tokenizer, tasks."""
    path = ensure_base_model(config)
    if not Path(path).expanduser().is_dir():
        try:
            snapshot_download(path, allow_patterns=list(_OF_A_MODEL))
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"model.path={path} is no folder here and cannot be downloaded ({reason}); type the command where "
                "there is a network, or set model.path to a folder that the nodes share."
            ) from error
    how_asked(config)
