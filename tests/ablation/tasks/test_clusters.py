"""Clusters are what comparing every pair of tasks would connect."""

import random

from audit_task import clamp

from ablation.tasks.audit import copies
from ablation.tasks.clusters import find_clusters
from ablation.tasks.task import Task


def varied(rng: random.Random, count: int) -> list[Task]:
    """Tasks, many of which are others with some words changed, renamed, or with another case."""
    tasks: list[Task] = []
    for number in range(count):
        said = [f"w{rng.randrange(300)}" for _ in range(rng.choice((2, 4, 20, 40)))]
        if tasks and rng.random() < 0.7:
            said = rng.choice((str, str.upper))(rng.choice(tasks).tests).split()
            for _ in range(rng.randrange(4)):
                said[rng.randrange(len(said))] = f"W{rng.randrange(300)}"
        name = f"w{rng.randrange(300)}"
        tasks.append(clamp(task_id=f"t{number:03d}", prompt="", entry_point=name, tests=" ".join(said)))
    return tasks


def connected(tasks: list[Task]) -> list[int]:
    sets = [copies._shingles(task) for task in tasks]
    clusters = list(range(len(tasks)))
    for one in range(len(tasks)):
        for other in range(one):
            if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= copies.SIMILARITY:
                low, high = sorted((clusters[one], clusters[other]))
                clusters = [low if cluster == high else cluster for cluster in clusters]
    return clusters


def test_clusters_are_those_that_comparing_every_pair_finds():
    for seed in range(3):
        tasks = varied(random.Random(seed), 250)
        found = find_clusters(tasks)
        assert found == connected(tasks)
        assert 30 < len(set(found)) < 220


def test_tasks_that_are_just_similar_enough_are_near_duplicates():
    said = [f"w{n}" for n in range(15)]  # 11 words have 7 shingles of 5, 14 have 10, 15 have 11
    tasks = [clamp(prompt="", tests=" ".join(said[:count])) for count in (11, 14, 11, 15)]
    assert find_clusters(tasks[:2]) == [0, 0]
    assert find_clusters(tasks[2:]) == [0, 1]


def test_no_tasks_make_no_clusters():
    assert find_clusters([]) == []
