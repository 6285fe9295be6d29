"""vLLM as the sampler of a chain: what TRL is told of it, seeds for its server, and the watch over its weights."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ablation.config import Config, GenerationConfig
from ablation.training.places import free_port
from ablation.training.sampling import derived_seed
from ablation.training.vllm_server import VllmServer

# TRL's name for the mean over a step's tokens of |log-probability by vLLM - by the trainer|; absent without vLLM.
LOGP_DIFFERENCE = "sampling/sampling_logp_difference/mean"
_AT_ONCE = 64  # requests to the server; it makes batches of them itself


def vllm_arguments(config: Config, positions: int, server: VllmServer | None) -> dict[str, Any]:
    """Returns what TRL's arguments say of vLLM; ``positions``: tokens of the longest prompt and completion together."""
    generation = config.generation
    if not generation.vllm:
        return {}
    of_server: dict[str, Any] = {}
    if server is not None:  # whose weights come over a port that no other chain here has
        of_server = {"vllm_server_base_url": server.url, "vllm_group_port": free_port()}
        of_server["vllm_server_timeout"] = generation.server_timeout_s
    return {
        "use_vllm": True,
        "vllm_mode": generation.engine.removeprefix("vllm_"),
        "vllm_tensor_parallel_size": generation.tensor_parallel_size,
        "vllm_gpu_memory_utilization": generation.gpu_memory_utilization,
        "vllm_enable_sleep_mode": generation.enable_sleep_mode,
        "vllm_max_model_length": positions,
        **of_server,
    }


class SeededClient:
    """TRL's client of the server, with a seed for each prompt of a step.

    TRL sends all prompts with one seed or none; with one, equal places of different prompts would be sampled with
    equal random numbers.
    """

    def __init__(self, client: Any, step_seed: Callable[[], int]) -> None:
        self._client = client
        self._step_seed = step_seed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def generate(self, prompts: Sequence[Sequence[int]], **sampling: Any) -> dict[str, Any]:
        """As TRL's: lists over prompts and, for each prompt, its completions one after another."""
        seed = self._step_seed()
        own = dict(sampling.pop("generation_kwargs", None) or {})

        def of_prompt(index: int) -> dict[str, Any]:
            seeded = {**own, "seed": derived_seed("prompt", seed, index)}
            answer: dict[str, Any] = self._client.generate(
                prompts=[prompts[index]], generation_kwargs=seeded, **sampling
            )
            return answer

        with ThreadPoolExecutor(min(_AT_ONCE, len(prompts))) as pool:
            answers = list(pool.map(of_prompt, range(len(prompts))))
        return {name: _joined([answer[name] for answer in answers]) for name in answers[0]}


def _joined(parts: Sequence[list | None]) -> list | None:
    return None if parts[0] is None else [item for part in parts for item in part or ()]


class WeightsWatch:
    """Says, and then stops, when vLLM samples from other weights than those that are trained."""

    def __init__(self, generation: GenerationConfig) -> None:
        self._warn, self._stop = generation.warn_logp_difference, generation.stop_logp_difference
        self._warned = False

    def look(self, step: int, logged: Mapping[str, Any]) -> None:
        """Looks at what TRL logged for a step.

        Raises:
            RuntimeError: log-probabilities differ by more than a link may train with.
        """
        difference = logged.get(LOGP_DIFFERENCE)
        if difference is None:
            return
        if not difference <= self._stop:  # NaN too
            raise RuntimeError(
                f"vLLM does not sample from the weights that are trained: log-probabilities differ by "
                f"{difference:.3g} on average at step {step}, more than generation.stop_logp_difference="
                f"{self._stop:g}; see train/sampling/* in history.jsonl, or do without it by generation=transformers"
            )
        if difference > self._warn and not self._warned:
            self._warned = True
            logging.warning(
                "vLLM's log-probabilities differ from the trainer's by %.3g on average at step %d, more than "
                "generation.warn_logp_difference=%g; above %g the link stops.",
                difference,
                step,
                self._warn,
                self._stop,
            )
