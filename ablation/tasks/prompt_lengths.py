"""Prompts that are too long for a model: their tasks are dropped, counted, in every arm alike, or the run is refused.

Nothing here or in TRL cuts a prompt. Lengths are tokens of the model's own tokenizer, chat template included.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ablation.config import Config, ConfigError, SamplingConfig
from ablation.tasks.load import SPLITS, TaskSplits
from ablation.tasks.prompts import Question, questions, style_of


@dataclass(frozen=True)
class Asked:
    """How a model is asked the tasks of a study, as ``chain.json`` records it."""

    style: str  # chat | plain
    limit: int | None  # tokens that a prompt may have; None: any number
    longest: int  # tokens of the longest prompt, dropped or not
    dropped: dict[str, int] = field(default_factory=dict)  # tasks with longer prompts, by split
    fingerprint: str = ""  # twelve hex digits of the tokens of all prompts that are asked, in order

    @property
    def warning(self) -> str | None:
        """What a person should know before the chains start."""
        if not sum(self.dropped.values()):
            return None
        splits = ", ".join(f"{count} of {split}" for split, count in self.dropped.items() if count)
        return (
            f"{sum(self.dropped.values())} tasks are dropped ({splits}), because their prompts have more than "
            f"{self.limit} tokens (the longest has {self.longest}); for a higher limit see sampling.max_prompt_length."
        )


class Fitted(NamedTuple):
    """Questions that are asked, and those that are too long for it."""

    asked: list[Question]
    too_long: list[Question]


def positions_of(model_config: Any) -> int | None:
    """How many tokens a model can take, by its transformers configuration; None where that names no limit."""
    text = model_config.get_text_config()
    return getattr(text, "max_position_embeddings", None)


def limit_of(sampling: SamplingConfig, positions: int | None) -> int | None:
    """The most tokens that a prompt may have, or None.

    Raises ConfigError when prompt and completion cannot both fit into the model's ``positions``.
    """
    if positions is None:
        return sampling.max_prompt_length
    room = positions - sampling.max_completion_length
    if room < 1:
        raise ConfigError(
            f"sampling.max_completion_length={sampling.max_completion_length} leaves no room for a prompt in the "
            f"{positions} positions of the model; set sampling.max_completion_length={positions // 2} or less."
        )
    if sampling.max_prompt_length is not None and sampling.max_prompt_length > room:
        raise ConfigError(
            f"sampling.max_prompt_length={sampling.max_prompt_length} and sampling.max_completion_length="
            f"{sampling.max_completion_length} exceed the {positions} positions of the model; set "
            f"sampling.max_prompt_length={room} or less."
        )
    return room if sampling.max_prompt_length is None else sampling.max_prompt_length


def fitting(asked: Iterable[Question], limit: int | None) -> Fitted:
    """Questions with at most ``limit`` tokens, and the others."""
    fitted = Fitted([], [])
    for question in asked:
        (fitted.too_long if limit is not None and len(question.ids) > limit else fitted.asked).append(question)
    return fitted


def ask(config: Config, splits: TaskSplits, tokenizer: Any, positions: int | None) -> Asked:
    """How a model with ``tokenizer`` and ``positions`` is asked every task of ``splits``.

    Raises ConfigError where it cannot be asked as ``config`` says, where prompts are too long and that is not to be
    accepted, or where dropping them leaves a split without tasks or a step without prompts.
    """
    style, limit = style_of(config.model.prompt, tokenizer), limit_of(config.sampling, positions)
    digest, dropped, longest = hashlib.sha256(), {}, list[Question]()
    for split in SPLITS:
        every = questions(getattr(splits, split), config.model.prompt, tokenizer)
        fitted = fitting(every, limit)
        longest.append(max(every, key=lambda question: len(question.ids)))
        digest.update(json.dumps([(question.task.task_id, question.ids) for question in fitted.asked]).encode())
        dropped[split] = len(fitted.too_long)
        _enough(config, split, len(fitted.asked), dropped[split], limit)
    asked = Asked(style, limit, max(len(question.ids) for question in longest), dropped, digest.hexdigest()[:12])
    if config.sampling.long_prompts == "refuse":
        _refuse(asked, longest)
    return asked


def _enough(config: Config, split: str, kept: int, dropped: int, limit: int | None) -> None:
    needed = config.grpo.prompts_per_step if split == "train" else 1
    if dropped and kept < needed:
        raise ConfigError(
            f"{dropped} of {kept + dropped} prompts of the {split} split have more than {limit} tokens, which leaves "
            f"{kept} where {needed} are needed; raise sampling.max_prompt_length, or shorten "
            "sampling.max_completion_length to make room."
        )


def _refuse(asked: Asked, longest: Sequence[Question]) -> None:
    count = sum(asked.dropped.values())
    if count:
        one = max(longest, key=lambda question: len(question.ids))
        raise ConfigError(
            f"{count} prompts have more than {asked.limit} tokens (that of {one.task.task_id} has {len(one.ids)}) and "
            "sampling.long_prompts=refuse; raise sampling.max_prompt_length, or type sampling.long_prompts=drop."
        )
