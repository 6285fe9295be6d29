"""Near-duplicates of a set in clusters, whose tasks are not to be told apart: what training saw of one helps with all.

Two tasks are near-duplicates as the audit has it: their runs of ``SHINGLE`` tokens have a Jaccard index of
``SIMILARITY`` or more. A cluster is what such pairs connect. Exact, but for the chance that 64-bit hashes of two
different shingles are equal (about 3e-6 for 10 million shingles).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ablation.tasks.audit.copies import SHINGLE, SIMILARITY
from ablation.tasks.audit.gold import tokens
from ablation.tasks.task import Task

_NOTHING = 1 << 40  # no word's number
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, power, 1 << 64) for power in range(1, SHINGLE + 1)], dtype=np.uint64)
_ROWS = 256  # tasks that are compared with all those before at once
_COMMON = 0.05  # share of tasks that have a shingle which is counted by a dense product
_MOST_COMMON = 2048  # of these
_ROUNDING = 1e-3  # far less than what tells two numbers of shingles apart

Hashes = NDArray[np.uint64]


def find_clusters(tasks: Sequence[Task]) -> list[int]:
    """For each task the index of the first task of its cluster.

    Shared shingles are counted for all pairs: a sparse product for the rare ones, a dense one for those that many have.
    """
    if not tasks:
        return []
    sets = list(_shingles(tasks))
    sizes = np.array([len(own) for own in sets], dtype=np.float32)
    common, rare = _matrices(sets)
    others = rare.T.tocsr()
    labels = np.arange(len(tasks))
    for start in range(0, len(tasks), _ROWS):
        stop = min(start + _ROWS, len(tasks))
        shared = (rare[start:stop] @ others)[:, :stop].toarray()
        shared += common[start:stop] @ common[:stop].T
        either = sizes[start:stop, None] + sizes[None, :stop] - shared
        near = shared + _ROUNDING >= SIMILARITY * either
        ones, twos = np.nonzero(near & (labels[start:stop, None] != labels[None, :stop]))
        if len(ones):
            pairs = csr_array((np.ones(len(ones)), (labels[ones + start], labels[twos])), (len(tasks),) * 2)
            merged = connected_components(pairs, directed=False)[1]
            labels = merged[labels]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return [int(index) for index in first[inverse]]


def content(task: Task) -> list[str]:
    """What a task asks and tests."""
    tests = [task.tests] if task.tests else [text for _, text in (task.script.files if task.script else ())]
    return [task.prompt, *tests]


def _shingles(tasks: Sequence[Task]) -> Iterator[Hashes]:
    """The different shingles of each task, hashed: words by number, whatever their case and the entry point's name."""
    numbers: dict[str, int] = {}
    lowered = {"_": 0}
    for task in tasks:
        words = tokens("\n".join(content(task)))
        for word in words:
            if word not in numbers:
                numbers[word] = lowered.setdefault(word.lower(), len(lowered))
        own, name = [numbers[word] for word in words], task.entry_point
        if name in numbers:
            own = [0 if word == name else number for word, number in zip(words, own, strict=True)]
        padded = np.array(own + [_NOTHING] * (SHINGLE - len(own)), dtype=np.uint64)
        windows = np.lib.stride_tricks.sliding_window_view(padded, SHINGLE)
        hashed = (windows * _FACTORS).sum(axis=1, dtype=np.uint64)
        yield np.unique(hashed ^ (hashed >> np.uint64(29)))


def _matrices(sets: Sequence[Hashes]) -> tuple[NDArray[np.float32], csr_array]:
    """Which task has which shingle, as ones in ``[tasks, shingles]``: of the common ones, and of the rare ones that
    more than one task has.
    """
    _, columns, counts = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    tasks = np.repeat(np.arange(len(sets)), [len(own) for own in sets])
    order = np.argsort(-counts, kind="stable")
    most = min(_MOST_COMMON, int(np.count_nonzero(counts > _COMMON * len(sets))), int(np.count_nonzero(counts > 1)))
    places = np.empty(len(counts), dtype=np.int64)
    places[order] = np.arange(len(counts))
    columns = places[columns]
    common = np.zeros((len(sets), most), dtype=np.float32)
    common[tasks[columns < most], columns[columns < most]] = 1
    last = int(np.count_nonzero(counts > 1))
    of_rare = (columns >= most) & (columns < last)
    ones = np.ones(np.count_nonzero(of_rare), dtype=np.float32)
    rare = csr_array((ones, (tasks[of_rare], columns[of_rare] - most)), (len(sets), max(last - most, 1)))
    return common, rare
