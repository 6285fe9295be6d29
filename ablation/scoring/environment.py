"""The environment of the processes of scoring: nothing of the user's leaks in."""

import os
from pathlib import Path
from typing import NamedTuple

import ablation

INHERITED = ("PATH", "LD_LIBRARY_PATH")  # what a Python may need to start
FIXED = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "HOME": ".",
    "TMPDIR": ".",
    "TZ": "UTC",
}


class World(NamedTuple):
    """What the processes of scoring start in, which makes no difference to tests and candidates that are sound."""

    hash_seed: int = 0
    ahead_s: int = 0  # of the time of day


def environment(world: World) -> dict[str, str]:
    """Variables for a process that imports this package."""
    package = Path(ablation.__file__).resolve().parent.parent
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, **FIXED, "PYTHONHASHSEED": str(world.hash_seed), "PYTHONPATH": str(package)}


def program(module: str, world: World) -> list[str]:
    """What follows ``python -m`` to run a module of this package in that world."""
    return ["ablation.scoring.clock", str(world.ahead_s), module] if world.ahead_s else [module]
