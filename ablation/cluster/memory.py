"""What a GPU of a chain will hold, from the sizes of its model, before anything is allocated.

An estimate: weights, gradients and optimizer are exact for how chains train (single precision, bf16 autocast, Adam;
with adapters the model itself in bf16);
activations follow Korthikanti et al. 2022 (arXiv 2205.05198, section 4): 34 bytes a token and hidden unit of a layer
that is computed again, 2 of one whose input is kept, without attention's square, which no current kernel stores. What
the allocator, NCCL and CUDA itself take is not in it: `_FREE` of the memory is left to them.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from ablation.config import Architecture, Config, ConfigError

_TRAINED = 16  # bytes of a trained parameter: weight and gradient, Adam's two moments, all in single precision
_HALF = 2  # bytes in bf16: what vLLM samples with, and what is gathered of weights that lie in pieces
_LAYER = 34  # bytes a token and hidden unit, of the layer whose activations are computed again
_FREE = 0.05  # share of a GPU


def layer_parameters(sizes: Architecture) -> int:
    """Returns the parameters of one layer of a Qwen3."""
    attention = sizes.hidden_size * sizes.head_dim * (2 * sizes.num_attention_heads + 2 * sizes.num_key_value_heads)
    norms = 2 * sizes.head_dim + 2 * sizes.hidden_size
    return attention + 3 * sizes.hidden_size * sizes.intermediate_size + norms


def qwen3_parameters(sizes: Architecture) -> int:
    """Returns the parameters of a Qwen3."""
    vocabularies = 1 if sizes.tie_word_embeddings else 2
    embeddings = vocabularies * sizes.vocab_size * sizes.hidden_size
    return embeddings + sizes.num_hidden_layers * layer_parameters(sizes) + sizes.hidden_size


def adapter_parameters(sizes: Architecture, rank: int) -> int:
    """Returns the parameters of adapters on every linear layer of a Qwen3 but the output."""
    heads, groups = sizes.num_attention_heads * sizes.head_dim, sizes.num_key_value_heads * sizes.head_dim
    attention = 2 * (sizes.hidden_size + heads) + 2 * (sizes.hidden_size + groups)
    return sizes.num_hidden_layers * rank * (attention + 3 * (sizes.hidden_size + sizes.intermediate_size))


@dataclass(frozen=True)
class GpuMemory:
    """Bytes of one GPU that trains."""

    state: float  # weights, gradients and the optimizer, or a rank's share of them
    gathered: float  # of weights that lie in pieces, those that are in use
    activations: float
    sampler_weights: float  # vLLM's, where it is colocated
    cache: float  # of keys and values, for the sequences that vLLM samples at once: at least one
    cached_tokens: int

    @property
    def total(self) -> float:
        return self.state + self.gathered + self.activations + self.sampler_weights + self.cache


class Tokens(NamedTuple):
    """Of one completion with its prompt, and of what a rank trains on at once."""

    sequence: int
    at_once: int


def tokens_of(config: Config) -> Tokens:
    """Returns the most tokens that the configuration allows; without a limit on prompts as many as the model takes."""
    sampling, positions = config.sampling, config.model.architecture.max_position_embeddings
    prompt = sampling.max_prompt_length
    sequence = positions if prompt is None else min(positions, prompt + sampling.max_completion_length)
    return Tokens(sequence, sequence * config.grpo.layout(config.cluster.ranks).per_device_train_batch_size)


def gpu_memory(config: Config, parameters: int) -> GpuMemory:
    """Returns what a GPU will hold of a model with the sizes of ``config.model.architecture``."""
    sizes, generation, ranks = config.model.architecture, config.generation, config.cluster.ranks
    tokens = tokens_of(config)
    pieces = ranks if config.cluster.fsdp else 1
    largest = max(layer_parameters(sizes), sizes.vocab_size * sizes.hidden_size)
    kept = sizes.num_hidden_layers * _HALF * tokens.at_once * sizes.hidden_size
    sampler = cache = 0.0
    a_token = _HALF * 2 * sizes.num_hidden_layers * sizes.num_key_value_heads * sizes.head_dim
    if generation.engine == "transformers":
        sampled = config.grpo.train_batch_size // ranks  # which TRL samples at once
        cache = float(sampled * tokens.sequence * a_token)
    elif generation.engine == "vllm_colocate":
        sampler = _HALF * parameters / generation.tensor_parallel_size
        a_token //= generation.tensor_parallel_size
        whole = (config.cluster.gpu_memory_gb or 0) * 1e9 * generation.gpu_memory_utilization
        cache = max(whole - sampler, float(tokens.sequence * a_token))
    return GpuMemory(
        state=_state(config, parameters) / pieces,
        gathered=2 * _HALF * largest if pieces > 1 else 0.0,  # one in use, and the next one
        activations=kept + _LAYER * tokens.at_once * sizes.hidden_size,
        sampler_weights=sampler,
        cache=cache,
        cached_tokens=int(cache / a_token),
    )


def _state(config: Config, parameters: int) -> float:
    """Bytes of weights, gradients and optimizer on all ranks that share them."""
    rank = config.model.lora.rank
    if rank is None:
        return _TRAINED * parameters
    return _HALF * parameters + _TRAINED * adapter_parameters(config.model.architecture, rank)


def memory_text(config: Config, parameters: int) -> str:
    """Returns what a GPU will hold, part by part, in a sentence."""
    memory = gpu_memory(config, parameters)
    of_adapters = "of adapters " if config.model.lora.rank else ""
    parts = [f"weights, gradients and Adam {of_adapters}{_gb(memory.state)}"]
    parts += [f"gathered weights {_gb(memory.gathered)}"] if memory.gathered else []
    parts.append(f"activations {_gb(memory.activations)}")
    parts += [f"vLLM's weights {_gb(memory.sampler_weights)}"] if memory.sampler_weights else []
    parts += [f"KV cache {_gb(memory.cache)} ({memory.cached_tokens:,} tokens)"] if memory.cache else []
    size = config.cluster.gpu_memory_gb
    of = f" of {size:.0f} GB." if size else " GB; set cluster.gpu_memory_gb=80, say, to have it checked."
    return f"Memory of a GPU, estimated: {', '.join(parts)}; {_gb(memory.total)}{of}"


def refuse_too_large(config: Config, parameters: int) -> None:
    """Raises ConfigError where a GPU cannot hold its part of the chain."""
    size = config.cluster.gpu_memory_gb
    if size is None:
        return
    memory = gpu_memory(config, parameters)
    _refuse_small_share(config, memory, size)
    room = size * (1 - _FREE)
    needed = memory.total / 1e9
    if needed <= room:
        return
    raise ConfigError(
        f"a GPU would hold {needed:.0f} GB, more than {room:.0f} of its {size:.0f} GB. "
        f"{memory_text(config, parameters)} {_advice(config, memory)}"
    )


def _refuse_small_share(config: Config, memory: GpuMemory, size: float) -> None:
    """Raises ConfigError where colocated vLLM cannot hold its weights and one sequence in its share."""
    if config.generation.engine != "vllm_colocate":
        return
    share, needed = config.generation.gpu_memory_utilization * size, (memory.sampler_weights + memory.cache) / 1e9
    if needed > share * 1.000001:  # the cache is what the share leaves, or one sequence where it leaves less
        enough = math.ceil(100 * needed / size) / 100
        raise ConfigError(
            f"vLLM's share of a GPU, {share:.1f} GB, is less than its weights and one sequence, {needed:.1f} GB; set "
            f"generation.gpu_memory_utilization={enough:.2f} or more, or a higher generation.tensor_parallel_size."
        )


def _advice(config: Config, memory: GpuMemory) -> str:
    """What to type against the largest part."""
    ranks, generation = config.cluster.ranks, config.generation
    sampler = memory.sampler_weights + memory.cache
    largest = max(memory.state, memory.activations, sampler)
    if largest == memory.state:
        more = f"cluster.ranks={2 * ranks}, or more" if config.cluster.fsdp or ranks == 1 else ""
        return f"Share the weights out among ranks: {' '.join(filter(None, ('cluster.fsdp=true', more)))}."
    if largest == memory.activations:
        at_once = config.grpo.layout(ranks).per_device_train_batch_size
        less = (
            f"grpo.per_device_train_batch_size={at_once // 2}"
            if at_once > 1
            else "a smaller sampling.max_prompt_length or sampling.max_completion_length"
        )
        return f"Train on fewer tokens at once: {less}."
    if generation.vllm and memory.cache > memory.sampler_weights:
        return "Leave vLLM less: a smaller generation.gpu_memory_utilization."
    return f"Share vLLM's weights out: generation.tensor_parallel_size={2 * generation.tensor_parallel_size}."


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}" if size < 1e11 else f"{size / 1e9:.0f}"
