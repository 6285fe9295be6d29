"""What this machine has for chains, and how they share it."""

from pathlib import Path

import joblib


def usable_cores() -> int:
    """Returns how many cores this process may use, by affinity and by the quota of its container."""
    return int(joblib.cpu_count())


def chains_at_once(ranks: int = 1) -> int:
    """Returns how many chains of ``ranks`` run side by side: one on a GPU machine, else one rank for each core."""
    return 1 if any(Path("/dev").glob("nvidia[0-9]*")) else max(1, usable_cores() // ranks)


def scoring_workers(ranks: int = 1) -> int:
    """Returns how many processes execute candidates for one of a chain's ``ranks`` here: its share of the cores less
    the one that trains."""
    return max(1, usable_cores() // chains_at_once(ranks) // ranks - 1)
