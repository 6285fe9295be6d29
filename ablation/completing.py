"""Completions of a saved model for held-out tasks, with plain transformers."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from transformers.utils import logging as transformers_logging

from ablation.config import SamplingConfig
from ablation.tasks.prompt_lengths import positions_of
from ablation.training.sampling import derived_seed


class Completer:
    """A saved model with its tokenizer, ready to complete prompts, which are given as tokens and never cut."""

    def __init__(self, source: str, sampling: SamplingConfig, batch_size: int) -> None:
        transformers_logging.disable_progress_bar()
        cuda = torch.cuda.is_available()
        dtype = torch.bfloat16 if cuda else torch.float32
        model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
        self._model = model.to("cuda" if cuda else "cpu").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        self.positions = positions_of(model.config)
        self._sampling = sampling
        self._batch_size = batch_size

    def sample(self, prompts: Sequence[list[int]], n: int, seed_name: str) -> list[list[str]]:
        """Returns ``n`` completions a prompt [prompts, n] at the training temperature.

        The seed depends on ``seed_name`` and the position of a batch, so that every model that is asked the
        same prompts under one name uses the same random stream.
        """
        options = {
            "do_sample": True,
            "temperature": self._sampling.temperature,
            "top_p": self._sampling.top_p,
            "top_k": self._sampling.top_k,
        }
        flat = self._complete([prompt for prompt in prompts for _ in range(n)], seed_name, options)
        return [flat[start : start + n] for start in range(0, len(flat), n)]

    def greedy(self, prompts: Sequence[list[int]]) -> list[str]:
        """Returns the most likely completion, token by token, of each prompt."""
        return self._complete(prompts, "greedy", {"do_sample": False})

    def close(self) -> None:
        """Lets the weights go."""
        del self._model
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _complete(self, prompts: Sequence[list[int]], seed_name: str, options: dict) -> list[str]:
        completions = []
        for start in range(0, len(prompts), self._batch_size):
            set_seed(derived_seed("evaluation", seed_name, start))
            completions += self._complete_batch(list(prompts[start : start + self._batch_size]), options)
        return completions

    @torch.inference_mode()
    def _complete_batch(self, prompts: list[list[int]], options: dict) -> list[str]:
        width = max(len(ids) for ids in prompts)
        end, pad = self._end, self.tokenizer.pad_token_id
        pad = end[0] if pad is None else pad
        padded_BT = [[pad] * (width - len(ids)) + ids for ids in prompts]
        mask_BT = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        ids_BT = self._model.generate(
            input_ids=torch.tensor(padded_BT, device=self._model.device),
            attention_mask=torch.tensor(mask_BT, device=self._model.device),
            max_new_tokens=self._sampling.max_completion_length,
            repetition_penalty=1.0,  # not what a model's own generation config says: training ignores that too
            pad_token_id=pad,
            eos_token_id=end,
            **options,
        )
        return self.tokenizer.batch_decode(ids_BT[:, width:], skip_special_tokens=True)

    @property
    def _end(self) -> list[int]:
        """The tokens that end a completion, as TRL has them: the tokenizer's, by which a chat turn ends, too."""
        ends = self._model.generation_config.eos_token_id
        ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        own = self.tokenizer.eos_token_id
        return ends if own in ends else [own, *ends]
