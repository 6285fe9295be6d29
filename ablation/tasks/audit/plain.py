"""What plain pytest says of a reference that the verifier refuses: whether it is broken, or cannot be carried."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.script import namespace
from ablation.tasks.audit.looks import PLAINLY, Look, reference_run
from ablation.tasks.audit.stubs import fenced
from ablation.tasks.task import Script, Task

START_S = 10.0  # for pytest to start, on a busy machine
MEMORY_MB = 2048
FOLDER = "/app"
_TEST_SH = """\
cd {folder}
if python -m pytest -q -p no:cacheprovider /tests/test_it.py; then reward=1; else reward=0; fi
echo $reward > /logs/verifier/reward.txt
"""


def look_plainly(tasks: Iterable[Task], pool: ScoringPool) -> Iterator[tuple[Task, Look]]:
    """Each task with what pytest says of its reference, in a namespace of its own; nothing where none can be had.

    Tasks that only their script can judge are left out.
    """
    if namespace.fault() is not None:
        return
    fit = [task for task in tasks if task.reference is not None and (task.script is None or task.script.fallback)]
    verdicts = pool.stream(Submission(_with_script(task), fenced(task.reference or "")) for task in fit)
    for task, verdict in zip(fit, verdicts, strict=True):
        if verdict.scored:
            yield task, Look(PLAINLY, tuple(verdict.tests), (reference_run(0, verdict),))


def _with_script(task: Task) -> Task:
    files = (("/tests/test.sh", _TEST_SH.format(folder=FOLDER)), ("/tests/test_it.py", task.tests))
    script = Script(FOLDER, files, MEMORY_MB)
    return replace(task, reference=None, script=script, timeout_s=task.timeout_s + START_S)
