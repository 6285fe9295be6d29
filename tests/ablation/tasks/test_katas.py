import itertools
import re

import pytest

from ablation.config import TasksConfig
from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks import katas
from ablation.tasks.load import load_tasks

SIZES = {"train": 60, "validation": 20, "test": 20}


def docstring(prompt: str) -> str:
    return prompt.split('"""')[1]


def test_every_reference_solves_its_six_tests_and_the_bare_argument_passes_none():
    tasks = [task for split in katas.make_splits(SIZES, seed=1).values() for task in split]
    with ScoringPool(2) as pool:
        references = pool.score([Submission(task, task.reference) for task in tasks])
        stubs = pool.score([Submission(task, "    return x\n") for task in tasks])
    assert [(v.passed, v.total) for v in references] == [(6, 6)] * len(tasks)
    assert [v.passed for v in stubs] == [0] * len(tasks)


def test_a_candidate_with_one_right_branch_earns_part_of_the_tests():
    task = next(t for t in katas.make_splits(SIZES, seed=1)["train"] if "k == 0" in t.reference)
    first = re.search(r"return (.*)\n", task.reference)[1]
    with ScoringPool(1) as pool:
        (verdict,) = pool.score([Submission(task, f"    if k == 0:\n        return {first}\n    return None\n")])
    assert (verdict.passed, verdict.total) == (2, 6)


def test_splits_share_no_docstring_and_repeat_none():
    splits = katas.make_splits(SIZES, seed=3)
    docstrings = [docstring(task.prompt) for split in splits.values() for task in split]
    assert len(docstrings) == sum(SIZES.values())
    assert len(set(docstrings)) == len(docstrings)


def test_the_corpus_holds_no_docstring_of_the_held_out_splits():
    splits = katas.make_splits(SIZES, seed=0)
    held_out = {task.prompt for task in [*splits["validation"], *splits["test"]]}
    without = {docstring(p) for p, _ in itertools.islice(katas.corpus(held_out, 0.5, seed=0), 5000)}
    assert not without & {docstring(prompt) for prompt in held_out}
    # The filter is what keeps them out: hold out what the corpus says, and it says something else.
    said = [prompt for prompt, _ in itertools.islice(katas.corpus(set(), 0.5, seed=0), 50)]
    kept = {docstring(p) for p, _ in itertools.islice(katas.corpus(set(said), 0.5, seed=0), 500)}
    assert not kept & {docstring(prompt) for prompt in said}


def test_held_out_tasks_of_another_set_need_no_docstring():
    plain = katas.corpus(set(), 0.5, seed=0)
    beside_others = katas.corpus({"Write a function.", "def f(x):\n    # doubled\n"}, 0.5, seed=0)
    assert list(itertools.islice(beside_others, 50)) == list(itertools.islice(plain, 50))


def test_noise_is_the_dial_for_right_bodies():
    def share_right(noise: float) -> float:
        with_noise = itertools.islice(katas.corpus(set(), noise, seed=0), 400)
        right = 0
        for prompt, body in with_noise:
            words = docstring(prompt)
            phrases = [p for v in katas.VOCABULARIES.values() for p in v.expressions if p.words in words]
            right += sum(f"return {p.code}\n" in body for p in phrases) >= 3
        return right / 400

    assert share_right(0.0) > 0.9 > share_right(0.3) > share_right(0.9)


def test_tasks_are_the_same_for_the_same_seed_and_others_for_another():
    config = TasksConfig(name="katas", train=30, validation=10, test=10)
    assert load_tasks(config).fingerprint == load_tasks(config).fingerprint
    other = TasksConfig(name="katas", train=30, validation=10, test=10, seed=1)
    assert load_tasks(config).fingerprint != load_tasks(other).fingerprint


def test_more_tasks_than_could_be_made_are_refused_with_the_number_that_there_are(monkeypatch):
    monkeypatch.setattr(katas, "_ATTEMPTS_PER_KATA", 1)  # a smaller language
    with pytest.raises(ValueError, match=r"ask for at most tasks.train=\d+"):
        katas.make_splits({"train": 200}, seed=0)
