"""Foreign test suites through the verifier: how many it carries, and that it says what pytest says."""

import pytest
from corpus_pairs import Pair, read_corpus
from mutants import mutants
from oracle import outcomes

from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks.task import Task

# What cannot cross, and why. A suite that leaves this list is progress, one that joins it is not.
UNSUPPORTED = {
    "async_gather": "coroutines of the tests awaited by the candidate",
    "async_queue_worker": "the same, and an asynchronous context manager",
    "complex_numbers_class": "an object of the candidate is to equal a number",
    "dna_transcription": "an object of the candidate is to equal a text",
    "fraction_class": "an object of the candidate is to equal a number",
    "set_algebra": "an object of the candidate is to equal a set",
    "singleton_metaclass": "the tests compare the type of a class with the candidate's metaclass",
    "sparse_vector_mapping": "an object of the candidate is to equal a dictionary",
    "threaded_counter": "threads of the tests block each other inside the candidate",
    "typed_descriptor": "the tests use a descriptor of the candidate in a class of their own",
    "url_builder": "an object of the candidate is to equal a text",
}


def task_of(pair: Pair) -> Task:
    return Task(pair.name, "", "", pair.tests, pair.module, timeout_s=3.0)


def fenced(module: str) -> str:
    return f"````python\n{module.rstrip()}\n````\n"


def test_references_solve_their_suites_or_the_suite_is_known_not_to_cross(pool):
    tasks = [task_of(pair) for pair in read_corpus()]
    verdicts = pool.score([Submission(task, fenced(task.reference)) for task in tasks])
    assert {v.task_id for v in verdicts if v.status == "unsupported"} == set(UNSUPPORTED)
    assert [v for v in verdicts if v.task_id not in UNSUPPORTED and not v.solved] == []


def test_an_empty_module_solves_nothing(pool):
    tasks = [task_of(pair) for pair in read_corpus() if pair.name not in UNSUPPORTED][::5]
    verdicts = pool.score([Submission(task, "```python\npass\n```") for task in tasks])
    assert [v.passed for v in verdicts] == [0] * len(tasks)


@pytest.mark.parametrize("pair", [p for p in read_corpus() if p.name not in UNSUPPORTED][7::22], ids=lambda p: p.name)
def test_wrong_modules_fail_the_same_tests_as_under_pytest(pool: ScoringPool, pair: Pair):
    for module in mutants(pair.module, 2, seed=1):
        said = outcomes(module, pair.tests, timeout_s=5.0)
        verdict = pool.score([Submission(task_of(pair), fenced(module))])[0]
        assert {name for name, outcome in verdict.tests.items() if outcome == "passed"} == {
            name for name, outcome in said.items() if outcome == "passed"
        }
