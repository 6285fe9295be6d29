"""Tasks that are in a set twice, or nearly so. Of copies the first in sorted ``task_id`` order is the original."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from ablation.tasks.audit.findings import Finding
from ablation.tasks.audit.gold import tokens
from ablation.tasks.audit.source import parse, without_docstrings
from ablation.tasks.task import Task

SHINGLE = 5  # tokens
SIMILARITY = 0.7  # Jaccard index of two tasks' shingles; different tasks of one template reach 0.65
Shingle = tuple[str, ...]


def find_copies(tasks: Sequence[Task]) -> dict[str, Finding]:
    """A ``duplicate`` or ``near_duplicate`` finding for each task that repeats an earlier one, by ``task_id``.

    A duplicate has the same tokens in prompt and tests: layout, comments, docstrings, kind of quotes and case of the
    prompt may differ. A near duplicate shares most runs of ``SHINGLE`` tokens, whatever its entry point is called.
    """
    found: dict[str, Finding] = {}
    first: dict[tuple[Shingle, Shingle], Task] = {}
    for task in sorted(tasks, key=lambda task: task.task_id):
        content = tuple(tokens(task.prompt.lower())), tuple(tokens(_plain(_tests(task))))
        if content in first:
            found[task.task_id] = Finding("duplicate", f"prompt and tests are those of {first[content].task_id}")
        else:
            first[content] = task
    originals = list(first.values())
    for later, (earlier, similarity) in _similar([_shingles(task) for task in originals]).items():
        detail = f"{similarity:.0%} of the text is shared with {originals[earlier].task_id}"
        found[originals[later].task_id] = Finding("near_duplicate", detail)
    return found


def _tests(task: Task) -> str:
    """What is tested: the tests, or the files of a script that alone knows it."""
    return task.tests or "\n".join(content for _, content in (task.script.files if task.script else ()))


def _plain(tests: str) -> str:
    tree = parse(tests)
    return without_docstrings(tree) if tree else tests


def _shingles(task: Task) -> frozenset[Shingle]:
    words = tokens(f"{task.prompt}\n{_tests(task)}")
    words = ["_" if word == task.entry_point else word.lower() for word in words]
    return frozenset(tuple(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1)))


def _similar(sets: Sequence[frozenset[Shingle]]) -> dict[int, tuple[int, float]]:
    """{index: (the first earlier index that is similar, Jaccard index)}, exact.

    Prefix filtering (Bayardo, Ma and Srikant 2007): sets of Jaccard index t share one of the |x| - ceil(t |x|) + 1
    rarest elements of each, so that only those need an index.
    """
    frequency = Counter(shingle for shingles in sets for shingle in shingles)
    # Numbers in order of rarity compare and hash faster than tuples of words.
    rarity = {shingle: rank for rank, shingle in enumerate(sorted(frequency, key=lambda s: (frequency[s], s)))}
    ranks = [frozenset(rarity[shingle] for shingle in shingles) for shingles in sets]
    holders: dict[int, list[int]] = defaultdict(list)
    similar: dict[int, tuple[int, float]] = {}
    for index, own in enumerate(ranks):
        prefix = sorted(own)[: len(own) - math.ceil(SIMILARITY * len(own)) + 1]
        for other in sorted({other for rank in prefix for other in holders[rank]}):
            shared = len(own & ranks[other])
            jaccard = shared / (len(own) + len(ranks[other]) - shared)
            if jaccard >= SIMILARITY:
                similar[index] = (other, jaccard)
                break
        for rank in prefix:
            holders[rank].append(index)
    return similar
