"""All of HumanEval (OpenAI, MIT; Chen et al. 2021, arXiv 2107.03374) on the fast path, where its file is at hand."""

from pathlib import Path

import pytest

from ablation.config import TasksConfig
from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks.humaneval import read_tasks
from ablation.tasks.reading import collect

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "HumanEval.jsonl.gz"


@pytest.mark.skipif(not DATA.exists(), reason=f"the data set is not at {DATA}")
def test_every_reference_solves_and_no_stub_does():
    found = collect(read_tasks(TasksConfig("humaneval", 1, 1, 1, path=str(DATA))), strict=True)
    tasks = found.tasks
    assert (len(tasks), found.joined, found.without_reference) == (164, {}, {})
    stubs = [
        "    return None\n",
        "    return []\n",
        "    return 0\n",
        "    return True\n",
        '    return ""\n',
        "    raise KeyError\n",
    ]
    with ScoringPool(2) as pool:
        references = pool.score([Submission(task, task.reference[len(task.prompt) :]) for task in tasks])
        stubbed = pool.score([Submission(task, stub) for task in tasks for stub in stubs])
    assert [(v.task_id, v.status) for v in references if not v.solved] == []
    assert [(v.task_id, v.status) for v in stubbed if v.solved is not False] == []
    assert sum(v.total for v in references) == 1133
