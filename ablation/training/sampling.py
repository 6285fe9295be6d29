"""Randomness derived from (seed, step): which prompts a step asks, and the seed it samples with.

Arms with one seed therefore share prompts and sampling seeds, and a later link continues the same stream
instead of replaying an earlier one's.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


def derived_seed(*parts: int | str) -> int:
    """Returns a seed in [0, 2**32) that depends on every part and on nothing else."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")


def prompts_of_step(seed: int, step: int, prompts_per_step: int, n_tasks: int) -> list[int]:
    """Returns the indices of the tasks that step ``step`` (from 1) asks.

    The stream is a fresh permutation of all tasks for every pass over them; steps cut it into pieces.
    """
    first = (step - 1) * prompts_per_step
    return [_stream_item(seed, position, n_tasks) for position in range(first, first + prompts_per_step)]


def _stream_item(seed: int, position: int, n_tasks: int) -> int:
    sweep, offset = divmod(position, n_tasks)
    return int(np.random.default_rng(derived_seed("prompts", seed, sweep)).permutation(n_tasks)[offset])


class StepSampler(Sampler[int]):
    """Dataset indices for every micro-batch of every step, in TRL's layout.

    TRL draws a whole generation batch (prompts, each ``num_generations`` times) once per accumulation step and
    generates on the first only, so the batch of a step is repeated ``accumulation`` times.
    """

    def __init__(
        self,
        *,
        seed: int,
        steps: int,
        prompts_per_step: int,
        num_generations: int,
        accumulation: int,
        n_tasks: int,
    ) -> None:
        self._seed = seed
        self._steps = steps
        self._prompts_per_step = prompts_per_step
        self._num_generations = num_generations
        self._accumulation = accumulation
        self._n_tasks = n_tasks

    def __len__(self) -> int:
        return self._steps * self._accumulation * self._prompts_per_step * self._num_generations

    def __iter__(self) -> Iterator[int]:
        for step in range(1, self._steps + 1):
            prompts = prompts_of_step(self._seed, step, self._prompts_per_step, self._n_tasks)
            for _ in range(self._accumulation):
                for prompt in prompts:
                    yield from [prompt] * self._num_generations
