"""Low-rank adapters in the place of the whole model (Hu et al. 2021, arXiv 2106.09685): what is trained, and the model
that it comes to.

Adapters are merged on the way out, into candidates and into vLLM, never into the weights that are trained on: taking
them out again would not give back every last bit, and a later link would go on from another base.
"""

from collections.abc import Iterator
from typing import Any

import torch

from ablation.config import LoraConfig

_WRAPPED = "base_model.model."  # what peft puts before the names of the model's own weights
_BASE = ".base_layer"  # and inside those that have an adapter


def adapters(lora: LoraConfig) -> Any:
    """Returns peft's configuration of adapters on every linear layer but the output; None to train the whole model."""
    if lora.rank is None:
        return None
    from peft import LoraConfig as Adapters

    return Adapters(r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM")


def base_dtype(lora: LoraConfig) -> torch.dtype:
    """Returns the precision of the weights in memory: single where they are trained, and on a CPU."""
    return torch.float32 if lora.rank is None or not torch.cuda.is_available() else torch.bfloat16


def trained_parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def merged(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields the weights of the model that a peft model with one adapter computes, by the model's own names.

    One at a time, in the precision of the base; what is tied comes once.
    """
    from peft.tuners.lora import LoraLayer

    adapted: dict[str, Any] = {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLayer)}
    for name, parameter in model.named_parameters():
        if model.prefix in name:  # of an adapter
            continue
        weight = parameter.data
        of_layer, _, what = name.partition(f"{_BASE}.")
        if what == "weight" and of_layer in adapted:
            delta = adapted[of_layer].get_delta_weight(model.active_adapter)
            weight = (weight.float() + delta.float()).to(weight.dtype)
        yield name.removeprefix(_WRAPPED).replace(_BASE, ""), weight
