from collections.abc import Callable, Iterator

import psutil
import pytest
from double_task import DOUBLE, is_worker

from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.verdict import Verdict
from ablation.tasks.task import Task


@pytest.fixture(scope="session")
def pool() -> Iterator[ScoringPool]:
    """One pool for the whole session: what one candidate does to it, the next ones feel."""
    with ScoringPool() as pool:
        yield pool


@pytest.fixture
def score(pool: ScoringPool) -> Iterator[Callable[..., Verdict]]:
    """Scores a completion; afterwards an honest candidate must still be solved, with nothing more running."""

    def score(completion: str, task: Task = DOUBLE) -> Verdict:
        return pool.score([Submission(task, completion)])[0]

    assert score("    return 3 * x - x\n").passed == 2
    before = _family()
    yield score
    assert score("    return 2 * x\n").solved
    assert len(_family()) == len(before)


def _family() -> list[psutil.Process]:
    """Everything below the evaluators: candidate servers and the child that each keeps ready."""
    workers = [process for process in psutil.Process().children() if is_worker(process)]
    return [child for worker in workers for child in worker.children(recursive=True)]
