"""A sample of what ``benchmarks/bench_audit_recall.py`` measures: the part that needs nothing run."""

import random

import pytest

from ablation.tasks.audit.copies import find_copies
from ablation.tasks.audit.static import text_findings
from ablation.tasks.task import Task
from benchmarks.audit_set.good import good_task, good_tasks
from benchmarks.audit_set.problems import numbers, texts
from benchmarks.audit_set.text_faults import FAULTS
from benchmarks.audit_set.words import Words

BY_TEXT = ("needs_network", "missing_package", "gold_in_instruction", "unnamed_api", "duplicate", "near_duplicate")
BY_RUNNING = {"not_for_candidates", "absent_by_name"}  # what a candidate cannot import may be importable here
VARIANTS = [(kind, variant) for kind in BY_TEXT for variant in FAULTS[kind] if variant.__name__ not in BY_RUNNING]


@pytest.mark.parametrize(("kind", "variant"), VARIANTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_that_stands_in_the_text_is_found_whatever_its_form(kind, variant):
    chance = random.Random(f"{kind}{variant.__name__}")
    for number in range(4):
        base = good_task(chance, Words(chance), f"a-{number}", (numbers, texts), plain=True)
        spoilt = Task(**{**vars(variant(base, chance)), "task_id": f"b-{number}"})
        found = [finding.kind for finding in text_findings(spoilt)]
        found += [finding.kind for finding in find_copies([base, spoilt]).values()]
        assert kind in found, spoilt


def test_good_tasks_of_every_form_have_no_finding_by_their_text():
    tasks = good_tasks(150, seed=7)
    assert [(task.task_id, *finding) for task in tasks for finding in text_findings(task)] == []
    assert find_copies(tasks) == {}
