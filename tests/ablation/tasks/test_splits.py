"""Splits follow what a task says, not what it is called or where it stands."""

import random
from collections.abc import Iterable
from dataclasses import replace

from audit_task import clamp

from ablation.tasks.splits import SHARES, position, split_tasks
from ablation.tasks.task import Script, Task

SIZES = {"train": 10_000, "validation": 10_000, "test": 10_000}
ORDER = [*SHARES, "train"]  # the way that a task may go when the set grows


def words(number: int, count: int = 40) -> list[str]:
    rng = random.Random(number)
    return [f"{rng.choice('abcdefgh')}{rng.randrange(500)}" for _ in range(count)]


def task(number: int) -> Task:
    """A task like no other."""
    return clamp(task_id=f"t{number}", prompt=f"# {number}\n", tests=" ".join(words(number)))


def near(number: int, copy: int) -> Task:
    """A near-duplicate of ``task(number)``."""
    said = words(number)
    said[copy % len(said)] = f"copy{copy}"
    return clamp(task_id=f"t{number}-{copy}", prompt=f"# {number}\n", tests=" ".join(said))


TASKS = [task(number) for number in range(1500)]


def where(tasks: Iterable[Task], **changes) -> dict[str, str]:
    """The split of each task by its tests, which are unique."""
    splits = split_tasks(tasks, {**SIZES, **changes}, seed=0)
    return {task.tests: split for split, found in splits.items() for task in found}


def test_each_task_is_in_one_split_of_the_right_size():
    found = where(TASKS)
    assert len(found) == len(TASKS)
    for split, share in SHARES.items():  # five standard deviations
        count, expected = list(found.values()).count(split), share * len(TASKS)
        assert abs(count - expected) < 5 * (expected * (1 - share)) ** 0.5


def test_order_names_and_growth_move_nothing():
    shuffled = [replace(each, task_id=f"renamed-{9999 - n}") for n, each in enumerate(TASKS)]
    random.Random(1).shuffle(shuffled)
    whole = where(TASKS)
    assert where(shuffled) == whole
    assert where(shuffled, train=50) == where(TASKS, train=50)
    assert where(TASKS[:500]).items() <= whole.items()


def test_sizes_bound_a_split_without_moving_tasks():
    whole, fewer = where(TASKS), where(TASKS, train=50, test=7)
    assert (list(fewer.values()).count("train"), list(fewer.values()).count("test")) == (50, 7)
    assert fewer.items() <= whole.items()


def test_equal_tasks_lie_together_whatever_their_layout():
    one = clamp()
    other = clamp(task_id="other", prompt="\n" + one.prompt.upper(), tests=one.tests.replace("\n", "\n  "))
    assert position(one, 0) == position(other, 0)
    assert position(one, 0) != position(clamp(tests="pass"), 0)
    assert position(one, 0) != position(one, 1)


def test_a_way_to_run_the_tests_moves_nothing_but_other_scripts_do():
    script = Script("/app", (("/tests/test.sh", "a"),), 2048)
    assert position(clamp(script=script), 0) == position(clamp(), 0)
    alone = clamp(tests="", script=script)
    assert position(alone, 0) != position(replace(alone, script=script._replace(files=(("/tests/test.sh", "b"),))), 0)


def test_near_duplicates_are_in_one_split_whatever_their_order_and_also_where_they_only_form_a_chain():
    said = words(7)
    chain = []
    for step in range(20):  # each is near the one before it, the last has nothing of the first
        said[2 * step : 2 * step + 2] = [f"step{step}x0", f"step{step}x1"]
        chain.append(clamp(task_id=f"c{step}", prompt="", tests=" ".join(said)))
    for order in range(3):
        tasks = [*TASKS[:200], *chain, *(near(number, copy) for number in range(60) for copy in range(3))]
        random.Random(order).shuffle(tasks)
        found = where(tasks)
        assert len({found[each.tests] for each in chain}) == 1
        for number in range(60):
            assert len({found[each.tests] for each in [task(number), *(near(number, copy) for copy in range(3))]}) == 1


def test_a_growing_set_never_holds_out_what_was_trained_on():
    before = where(TASKS[:400])
    after = where([*TASKS[:400], *(near(number, copy) for number in range(400) for copy in range(2))])
    moved = [(before[tests], after[tests]) for tests in before if before[tests] != after[tests]]
    assert len(moved) > 20
    assert all(ORDER.index(old) < ORDER.index(new) for old, new in moved)
