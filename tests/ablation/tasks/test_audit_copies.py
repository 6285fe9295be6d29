import random
from dataclasses import replace

from audit_task import TESTS, clamp

from ablation.composing import compose_config
from ablation.tasks.audit import copies
from ablation.tasks.audit.copies import find_copies
from ablation.tasks.load import load_every_task
from ablation.tasks.task import Script


def test_of_duplicates_the_first_in_sorted_order_stays():
    same = clamp(tests=TESTS.replace("\n\n\n", "\n\n# a comment\n").replace("    ", "\t"))
    found = find_copies([replace(same, task_id="b"), clamp(task_id="c"), clamp(task_id="a")])
    assert {task_id: finding.kind for task_id, finding in found.items()} == {"b": "duplicate", "c": "duplicate"}
    assert found["c"].detail == "prompt and tests are those of a"


def test_comments_docstrings_and_parentheses_in_tests_make_no_other_task():
    dressed = TESTS.replace("():\n", '():\n    """A case."""  # by hand\n').replace("== 5", "== (5)")
    copy = clamp(task_id="copy", tests=f'"""Tests."""\n{dressed}')
    assert find_copies([clamp(), copy])["copy"].kind == "duplicate"
    assert find_copies([clamp(), replace(copy, tests=TESTS.replace("== 5", "== 6"))])["copy"].kind == "near_duplicate"


def test_tasks_that_their_scripts_alone_tell_apart_are_no_duplicates():
    scripts = [
        Script("/app", (("/tests/test.sh", "x"), ("/tests/t.py", f"assert f({n}) == {n}")), 512) for n in (1, 2, 1)
    ]
    tasks = [clamp(task_id=f"t{n}", tests="", script=script) for n, script in enumerate(scripts)]
    kinds = {task_id: finding.kind for task_id, finding in find_copies(tasks).items()}
    assert (kinds["t2"], kinds.get("t1", "near_duplicate")) == ("duplicate", "near_duplicate")


def test_a_renamed_task_with_one_other_number_is_a_near_duplicate():
    def renamed(text: str) -> str:
        return text.replace("clamp", "bound")

    task = clamp()
    other = replace(task, task_id="x", prompt=renamed(task.prompt), entry_point="bound", tests=renamed(TESTS))
    other = replace(other, tests=other.tests.replace("12", "17"))
    assert {task_id: finding.kind for task_id, finding in find_copies([task, other]).items()} == {"x": "near_duplicate"}


def test_different_katas_are_no_copies_of_each_other():
    assert find_copies(load_every_task(compose_config([]).tasks).tasks) == {}


def test_similar_sets_are_those_that_comparing_every_pair_finds():
    rng = random.Random(0)
    sets: list[frozenset[tuple[str, ...]]] = []
    for _ in range(400):
        base = set(rng.choice(sets)) if sets and rng.random() < 0.6 else {(str(rng.randrange(500)),) for _ in range(30)}
        for _ in range(rng.randrange(8)):
            base.discard(rng.choice(sorted(base)))
            base.add((str(rng.randrange(500)),))
        sets.append(frozenset(base))

    def jaccard(a: frozenset, b: frozenset) -> float:
        return len(a & b) / len(a | b)

    expected = {}
    for index, shingles in enumerate(sets):
        near = [other for other in range(index) if jaccard(shingles, sets[other]) >= copies.SIMILARITY]
        if near:
            expected[index] = (near[0], jaccard(shingles, sets[near[0]]))
    assert len(expected) > 50
    assert copies._similar(sets) == expected
