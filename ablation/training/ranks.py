"""The processes that train one chain together: which of them this one is, and what they tell each other.

Weights and gradients are exchanged by accelerate. What is said here goes over a gloo group of its own, so that it
needs no GPU and does not get between the collectives of a training step.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState

T = TypeVar("T")

# A rank that dies ends the others through their supervisor; this is for one that neither dies nor goes on, and longer
# than the slowest rank of a step may let the others wait.
PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Ranks:
    """This process among those of its chain. With ``world`` 1 nothing is sent anywhere."""

    rank: int = 0
    world: int = 1
    group: Any = None  # for what these methods exchange

    @classmethod
    def joined(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Joins the ranks that torch's environment variables name, and waits until all are there."""
        if int(environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        cpu = not torch.cuda.is_available()
        if cpu:  # by itself accelerate says cpu:0, where torch.load cannot put the optimizer of a state
            os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
        PartialState(cpu=cpu, timeout=PATIENCE)
        return cls(dist.get_rank(), dist.get_world_size(), dist.new_group(backend="gloo", timeout=PATIENCE))

    @property
    def is_main(self) -> bool:
        """Whether this is the rank that keeps the chain's folder."""
        return self.rank == 0

    def from_main(self, make: Callable[[], T]) -> T:
        """Returns on every rank what ``make`` returns on the main one, where alone it is called."""
        if self.world == 1:
            return make()
        box = [make() if self.is_main else None]
        dist.broadcast_object_list(box, src=0, group=self.group)
        return box[0]  # type: ignore[return-value]

    def gathered(self, items: list[T]) -> list[T]:
        """Returns on the main rank the items of all ranks in their order; elsewhere none."""
        if self.world == 1:
            return items
        of_ranks: list[list[T] | None] | None = [None] * self.world if self.is_main else None
        dist.gather_object(items, of_ranks, dst=0, group=self.group)
        return [item for of_rank in of_ranks or () for item in of_rank or ()]

    def first_said(self, text: str) -> str:
        """Returns on every rank the first text of any rank that is not empty."""
        if self.world == 1:
            return text
        said: list[str] = [""] * self.world
        dist.all_gather_object(said, text, group=self.group)
        return next((one for one in said if one), "")

    def wait(self) -> None:
        """Returns when every rank has come here."""
        if self.world > 1:
            dist.barrier(group=self.group)

    def leave(self) -> None:
        if self.world > 1:
            dist.destroy_process_group()
