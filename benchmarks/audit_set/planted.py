"""Tasks with one fault each, of every kind that an audit knows, in the variants in which such faults are met.

A variant is written without a look at how the audit finds it: it takes a good task apart and spoils it.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from ablation.tasks.task import Task

from . import execution_faults, text_faults
from .good import good_task
from .problems import numbers, texts
from .words import Words

Variant = Callable[[Task, random.Random], Task]
FAULTS: dict[str, tuple[Variant, ...]] = {**execution_faults.FAULTS, **text_faults.FAULTS}


def planted_tasks(of_each: int, seed: int = 1) -> tuple[list[Task], dict[str, str]]:
    """So many tasks of each kind with what they are copies of, and {task_id: the kind that was planted}."""
    chance = random.Random(seed)
    words = Words(chance)
    tasks, kinds = list[Task](), dict[str, str]()
    for kind, variants in FAULTS.items():
        for number in range(of_each):
            base = good_task(chance, words, f"original-{kind}-{number:02d}", (numbers, texts), plain=True)
            spoilt = variants[number % len(variants)](base, chance)
            task_id = f"planted-{kind}-{number:02d}-{variants[number % len(variants)].__name__}"
            tasks += [base] * kind.endswith("duplicate") + [replace(spoilt, task_id=task_id)]
            kinds[task_id] = kind
    return tasks, kinds
