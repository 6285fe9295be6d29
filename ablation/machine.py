"""What this machine has for chains, and how they share it."""

from pathlib import Path

import joblib


def usable_cores() -> int:
    """Returns how many cores this process may use, by affinity and by the quota of its container."""
    return int(joblib.cpu_count())


def chains_at_once() -> int:
    """Returns how many chains run side by side: one on a GPU machine, else one for each core."""
    return 1 if any(Path("/dev").glob("nvidia[0-9]*")) else usable_cores()


def scoring_workers() -> int:
    """Returns how many processes of a chain execute candidates: its share of the cores less the one that trains."""
    return max(1, usable_cores() // chains_at_once() - 1)
