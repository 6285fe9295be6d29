"""Splits of a set that comes without: by what is in a task, so that neither order nor names of files matter.

Near-duplicates are on one side: a cluster of them lies where the highest of its tasks lies, and test has the lowest
range, training the highest. So when a set grows and clusters with it, a task may go from test to validation or from
one of these to training, and never back: what was trained on is never held out later.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ablation.tasks.clusters import content, find_clusters
from ablation.tasks.task import Task

SHARES = {"test": 0.2, "validation": 0.1}  # of tasks without near-duplicates; the rest is for training


def split_tasks(tasks: Iterable[Task], sizes: Mapping[str, int], seed: int) -> dict[str, list[Task]]:
    """Tasks by split, in order of their hash; at most ``sizes`` of each, the lowest hashes first.

    A task's split depends on ``seed`` and on the normalised content of the task and its near-duplicates alone. So it
    stays where it is when the set is renamed or sorted otherwise, when sizes change, and when other tasks are added.
    """
    tasks = list(tasks)
    positions = [position(task, seed) for task in tasks]
    clusters = find_clusters(tasks)
    highest: dict[int, float] = {}
    for cluster, place in zip(clusters, positions, strict=True):
        highest[cluster] = max(place, highest.get(cluster, 0.0))
    splits: dict[str, list[Task]] = {split: [] for split in sizes}
    for index in sorted(range(len(tasks)), key=lambda index: (positions[index], tasks[index].task_id)):
        splits[_split_at(highest[clusters[index]])].append(tasks[index])
    return {split: found[: sizes[split]] for split, found in splits.items()}


def largest_cluster(tasks: Sequence[Task]) -> int:
    """How many tasks the largest cluster of near-duplicates has."""
    return max(Counter(find_clusters(tasks)).values(), default=0)


def position(task: Task, seed: int) -> float:
    """Where what a task asks and tests lies in [0, 1). Case and white space do not count."""
    plain = [" ".join(text.lower().split()) for text in content(task)]
    digest = hashlib.sha256(json.dumps([seed, plain]).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _split_at(place: float) -> str:
    """Ranges of fixed shares, from 0 on; training has the last one."""
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "train"
