"""How much disk a chain will need, from the size of its model. Reads headers of weights, never weights."""

import json
import math
import struct
from pathlib import Path

from huggingface_hub import get_safetensors_metadata, snapshot_download

from ablation.cluster.memory import adapter_parameters, qwen3_parameters
from ablation.config import Architecture, Config
from ablation.training.base_model import base_model_path
from ablation.training.checkpoints import STATES_KEPT

_WEIGHT = 4  # bytes of a parameter: chains train in single precision and save what they train
_HALF = 2  # of a model on a GPU that only its adapters are trained of, which are merged into what is saved
_STATE = 12  # the same with the two moments of Adam
_COMPLETION = 150  # bytes of a stored rollout beside the text of its completion, compressed
_TOKEN = 1.2  # bytes of a token of text, compressed
_ROW = 6000  # bytes of a step's row in history.jsonl and in W&B's log


def chain_bytes(config: Config, parameters: int) -> int:
    """Returns what a chain takes at its peak: candidates on the grid, full states, rollouts, history.

    A new state is written before the oldest is dropped, so there is one more than are kept.
    """
    rank = config.model.lora.rank
    trained = parameters if rank is None else adapter_parameters(config.model.architecture, rank)
    weight = _WEIGHT if rank is None or not config.cluster.gpus else _HALF
    states = min(STATES_KEPT + 1, math.ceil(config.chain.steps / config.chain.resume_every)) * _STATE
    weights = parameters * len(config.chain.save_grid) * weight + trained * states
    completion = _COMPLETION + _TOKEN * config.sampling.max_completion_length
    return weights + round(config.chain.steps * (config.grpo.train_batch_size * completion + _ROW))


def parameters_of(config: Config) -> int | None:
    """Returns how many parameters the model has, by its weights or else by the sizes that its config gives."""
    path = base_model_path(config)
    if config.model.path is None and not Path(path).is_dir():
        return qwen3_parameters(config.model.architecture)
    folder = Path(path).expanduser()
    try:
        if not folder.is_dir():
            folder = Path(snapshot_download(path, local_files_only=True))
        return sum(map(_elements, folder.glob("*.safetensors"))) or None
    except (OSError, ValueError):
        return _on_the_hub(path) or _as_said(config.model.architecture)


def _as_said(sizes: Architecture) -> int | None:
    """Parameters by the config's sizes; None where those are of the tiny model, as where nobody gave any."""
    return None if sizes == Architecture() else qwen3_parameters(sizes)


def _on_the_hub(path: str) -> int | None:
    try:
        return sum(get_safetensors_metadata(path).parameter_count.values())
    except Exception:  # no network, no such model, no safetensors: submitting will say which
        return None


def _elements(weights: Path) -> int:
    """Parameters in a safetensors file: its header says the shape of each tensor."""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
