"""Tasks with one fault each of the second set."""

import random
from dataclasses import replace

from ablation.tasks.task import Task

from ..words import Words
from . import execution_faults, text_faults
from .functions import digest, durations, reachable, run_lengths, settings, turned
from .good import halved, made
from .spoiling import Variant

FAULTS: dict[str, tuple[Variant, ...]] = {**execution_faults.FAULTS, **text_faults.FAULTS}
FAMILIES = (settings, turned, run_lengths, reachable, digest, durations)  # functions of strings, lists and numbers


def planted_tasks(of_each: int, seed: int, held_out: bool) -> tuple[list[Task], dict[str, str]]:
    """So many tasks of each kind with what they are copies of, and {task_id: the kind that was planted}."""
    chance = random.Random(f"planted {seed} {held_out}")
    words = Words(chance)
    tasks, kinds = list[Task](), dict[str, str]()
    for kind, all_variants in FAULTS.items():
        variants = halved(all_variants, held_out)
        for number in range(of_each):
            base = made(chance, words, f"original-{kind}-{number:02d}", FAMILIES, plain=True)
            variant = variants[number % len(variants)]
            task_id = f"planted-{kind}-{number:02d}-{variant.__name__}"
            tasks += [base.task] * kind.endswith("duplicate") + [replace(variant(base, chance), task_id=task_id)]
            kinds[task_id] = kind
    return tasks, kinds
