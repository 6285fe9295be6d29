"""vLLM as the sampler of a chain: what TRL is told of it, seeds for its server, and the watch over its weights."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from ablation.config import Config, GenerationConfig
from ablation.metrics import LOGP_DIFFERENCE
from ablation.training.sampling import derived_seed
from ablation.training.vllm_server import VllmServer

_AT_ONCE = 64  # requests to the server; it makes batches of them itself


def vllm_arguments(config: Config, positions: int, server: VllmServer | None) -> dict[str, Any]:
    """Returns what TRL's arguments say of vLLM; ``positions``: tokens of the longest prompt and completion together."""
    generation = config.generation
    if not generation.vllm:
        return {}
    return {
        "use_vllm": True,
        "vllm_mode": generation.engine.removeprefix("vllm_"),
        "vllm_tensor_parallel_size": generation.tensor_parallel_size,
        "vllm_gpu_memory_utilization": generation.gpu_memory_utilization,
        "vllm_enable_sleep_mode": generation.enable_sleep_mode,
        "vllm_max_model_length": positions,
        **({"vllm_server_base_url": server.url, "vllm_server_timeout": generation.server_timeout_s} if server else {}),
    }


class ServedSampling:
    """TRL's client of the server, with a seed for each prompt of a step, and a second try with a new server.

    TRL sends all prompts with one seed or none; with one, equal places of different prompts would be sampled with
    equal random numbers.
    """

    def __init__(self, client: Any, server: VllmServer, step_seed: Callable[[], int], again: Callable[[], Any]) -> None:
        """``again`` connects TRL to a server that was started anew, gives it the weights and returns the new client."""
        self._client = client
        self._server = server
        self._step_seed = step_seed
        self._again = again

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def generate(self, prompts: Sequence[Sequence[int]], **sampling: Any) -> dict[str, Any]:
        """As TRL's: lists over prompts and, for each prompt, its completions one after another."""
        try:
            return self._generate(prompts, sampling)
        except (requests.RequestException, ConnectionError) as error:
            if self._server.healthy():
                raise
            logging.warning("The vLLM server is gone (%s); it is started again and the step sampled again.", error)
            self._server.restart()
            self._client = self._again()
            return self._generate(prompts, sampling)

    def _generate(self, prompts: Sequence[Sequence[int]], sampling: Mapping[str, Any]) -> dict[str, Any]:
        seed = self._step_seed()
        own = dict(sampling.get("generation_kwargs") or {})

        def of_prompt(index: int) -> dict[str, Any]:
            seeded = {**sampling, "generation_kwargs": {**own, "seed": derived_seed("prompt", seed, index)}}
            return self._client.generate(prompts=[prompts[index]], **seeded)

        with ThreadPoolExecutor(min(_AT_ONCE, len(prompts))) as pool:
            answers = list(pool.map(of_prompt, range(len(prompts))))
        joined: dict[str, Any] = {}
        for name in answers[0]:
            parts = [answer[name] for answer in answers]
            joined[name] = None if parts[0] is None else [item for part in parts for item in part]
        return joined


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
                f"vLLM's log-probabilities differ from the trainer's by {difference:.3g} on average at step {step}, "
                f"more than generation.stop_logp_difference={self._stop:g}, so vLLM does not sample from the weights "
                "that are trained; see train/sampling/* in history.jsonl, type the same command again to go on from "
                "the last state, and add generation=transformers to do without vLLM"
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
