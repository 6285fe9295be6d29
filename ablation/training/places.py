"""Which ranks of a link one supervisor starts, and where they meet the others."""

import socket
from dataclasses import dataclass
from pathlib import Path

from ablation.config import Config


@dataclass(frozen=True)
class Place:
    """``here`` ranks from ``first`` on, of ``world``; the main rank listens at ``address`` and ``port``."""

    world: int = 1
    first: int = 0
    here: int = 1
    local: int = 0  # number of the first rank on its machine, which is the number of its GPU
    on_machine: int = 1  # ranks on this machine, those of other supervisors too
    address: str = "127.0.0.1"
    port: int = 0

    def environments(self) -> list[dict[str, str]]:
        """Returns what torch and accelerate want to find in the environment of each rank that is started here."""
        if self.world == 1:
            return [{}]
        return [
            {
                "RANK": str(self.first + index),
                "WORLD_SIZE": str(self.world),
                "LOCAL_RANK": str(self.local + index),
                "LOCAL_WORLD_SIZE": str(self.on_machine),
                "MASTER_ADDR": self.address,
                "MASTER_PORT": str(self.port),
            }
            for index in range(self.here)
        ]


def all_here(config: Config) -> Place:
    """Returns all ranks of a chain on this machine."""
    ranks = config.cluster.ranks
    return Place(ranks, 0, ranks, 0, ranks, port=free_port() if ranks > 1 else 0)


def free_port() -> int:
    """Returns a TCP port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def log_of_rank(log: Path, rank: int) -> Path:
    """Returns where a rank prints: the main one to the link's log, the others beside it."""
    return log if rank == 0 else log.with_suffix(f".rank-{rank}{log.suffix}")
