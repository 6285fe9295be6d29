"""What all chains of a study were trained and scored with, in a sentence. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.sources.naming import field
from analysis.sources.study import Chain


def setting(chains: Sequence[Chain]) -> str:
    """The settings that are equal in all chains with a config of ours; empty without one."""
    configs = [chain.config for chain in chains if chain.folder and chain.config]
    if not configs:
        return ""
    shared = {name: _shared(configs, dotted) for name, dotted in _FIELDS.items()}
    parts = [words.format(**shared) for words in _WORDS if all(shared[name] is not None for name in _names(words))]
    training = f"All arms train {', '.join(parts)}." if parts else ""
    return " ".join(filter(None, (training, _SCORES.format(**shared) if shared["samples"] is not None else "")))


_FIELDS = {
    "model": "model.name",
    "tasks": "tasks.name",
    "train": "tasks.train",
    "validation": "tasks.validation",
    "test": "tasks.test",
    "batch": "grpo.train_batch_size",
    "group": "grpo.num_generations",
    "rate": "grpo.learning_rate",
    "temperature": "sampling.temperature",
    "completion": "sampling.max_completion_length",
    "samples": "evaluation.samples",
}
_WORDS = (
    "the model {model}",
    "on the tasks {tasks} ({train} to train, {validation} for validation, {test} for test)",
    "by {batch} samples a step in groups of {group}, learning rate {rate:g}",
    "sampled at temperature {temperature:g} with at most {completion} tokens",
)
_SCORES = "Held-out scores are of {samples} samples a task and one greedy one."


def _names(words: str) -> list[str]:
    return [name for name in _FIELDS if f"{{{name}" in words]


def _shared(configs: Sequence[Mapping[str, Any]], dotted: str) -> Any:
    values = [field(config, dotted) for config in configs]
    return values[0] if all(value == values[0] for value in values) else None
