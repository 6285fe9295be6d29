"""Completions of a saved model for held-out tasks, with vLLM: sooner than plain transformers on a GPU.

Its random numbers are others, so one study is evaluated with one engine: scores are cached for each.
"""

from collections.abc import Sequence
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from ablation.config import SamplingConfig
from ablation.tasks.prompt_lengths import positions_of
from ablation.training.sampling import derived_seed

_MEMORY = 0.9  # share of the GPU, which nothing else is on


class VllmCompleter:
    """As `ablation.completing.Completer`."""

    def __init__(self, source: str, sampling: SamplingConfig) -> None:
        from vllm import LLM

        self.tokenizer = AutoTokenizer.from_pretrained(source)
        self.positions = positions_of(AutoConfig.from_pretrained(source))
        self._engine: Any = LLM(
            source,
            dtype="bfloat16",
            gpu_memory_utilization=_MEMORY,
            generation_config="vllm",  # not what the model's own says of sampling: training ignores that too
            disable_log_stats=True,
        )
        self._sampling = sampling

    def sample(self, prompts: Sequence[list[int]], n: int, seed_name: str) -> list[list[str]]:
        """Returns ``n`` completions a prompt [prompts, n]; seeds are of ``seed_name`` and the place of a prompt."""
        options = {"temperature": self._sampling.temperature, "top_p": self._sampling.top_p}
        seeds = [derived_seed("evaluation", seed_name, place) for place in range(len(prompts))]
        return self._complete(prompts, [{**options, "n": n, "top_k": self._sampling.top_k, "seed": s} for s in seeds])

    def greedy(self, prompts: Sequence[list[int]]) -> list[str]:
        """Returns the most likely completion, token by token, of each prompt."""
        return [text for (text,) in self._complete(prompts, [{"temperature": 0.0}] * len(prompts))]

    def close(self) -> None:
        """Ends the engine's process, for the next model to find the GPU free."""
        self._engine.llm_engine.engine_core.shutdown()

    def _complete(self, prompts: Sequence[list[int]], options: Sequence[dict[str, Any]]) -> list[list[str]]:
        from vllm import SamplingParams

        longest = self._sampling.max_completion_length
        own = self.tokenizer.eos_token_id
        parameters = [SamplingParams(max_tokens=longest, stop_token_ids=[own], **each) for each in options]
        answers = self._engine.generate([{"prompt_token_ids": ids} for ids in prompts], parameters)
        return [[completion.text for completion in answer.outputs] for answer in answers]
