"""The evaluator: ``python -m ablation.scoring.evaluator``, started by ``ScoringPool``.

Tasks and completions come in and executions go out as frames on the socket that is its stdin and stdout. It
holds the tests, collected once with pytest, and asks a candidate server for what the candidate's code
returns; no line of a candidate runs here. When the socket closes it ends, and the candidate server with it.
"""

import contextlib
import gc
import json
import os
import resource
import sys
from pathlib import Path

from ablation.scoring.cleaning import remove
from ablation.scoring.containment.tiers import named
from ablation.scoring.environment import World
from ablation.scoring.evaluator import guards
from ablation.scoring.evaluator.execution import Execution, Explanation
from ablation.scoring.evaluator.grader import Grader, Prepared, UnsupportedError
from ablation.scoring.evaluator.host import Host, HostError
from ablation.scoring.evaluator.suite import Pytest
from ablation.scoring.examination import Run, Series
from ablation.scoring.frames import read_frame, write_frame
from ablation.scoring.script.grade import PreparedScript, Scripts, UnsupportedScriptError, grade_script
from ablation.scoring.script.namespace import TIER as SCRIPT_TIER
from ablation.tasks.task import Task

MEMORY_BYTES = 2 << 30  # address space: candidates choose how much data the evaluator reads


def main() -> None:
    """Serve the socket on stdin. The argument is JSON: scratch, a folder to use and remove; tier; world; explain."""
    settings = json.loads(sys.argv[1])
    scratch = Path(settings["scratch"])
    control = _take_over_stdio()
    sys.dont_write_bytecode = True
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    for name in ("tests", "work", "work/tmp"):
        (scratch / name).mkdir()
    os.chdir(scratch)
    os.environ["TMPDIR"] = str(scratch / "work")  # where the candidate may read what a test writes
    guards.install()
    with Host(named(settings["tier"]), scratch / "work", world=World(*settings["world"])) as host:
        grader = Grader(
            host,
            Pytest(scratch / "tests", scratch / "work" / "tmp", rewrite=settings["explain"]),
            scratch / "work",
            control,
        )
        scripts = Scripts(scratch)
        gc.collect()
        gc.freeze()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while grader.clean and (job := read_frame(control)) is not None:
                task = Task(**job["task"])
                for series in (Series(*one) for one in job["series"]):
                    for run in (Run(*one) for one in series.runs):
                        if grader.clean:
                            work = (grader, scripts, control, task, series, run)
                            write_frame(control, _answer(*work, explain=settings["explain"]))
    os.chdir("/")
    remove(scratch)  # the pool does it too, unless it was killed


def _answer(
    grader: Grader, scripts: Scripts, control: int, task: Task, series: Series, run: Run, explain: bool
) -> dict[str, object]:
    tier, explanation = None, None
    try:
        prepared = _prepare(grader, scripts, task)
        grader.tidy()
        write_frame(control, {"started": prepared.expected})  # from here on the candidate is to blame
        if isinstance(prepared, PreparedScript):
            execution, tier = grade_script(prepared, series.text or "", series.ours), SCRIPT_TIER
            explanation = Explanation("the task's own script, with the candidate in reach of the tests", "", {})
        elif explain:
            execution, explanation = grader.explain(prepared, series.text)
        elif series.ours:
            execution = grader.grade_ours(prepared, series.text or "", run)
        else:
            execution = grader.grade(prepared, series.text, run)
    except (UnsupportedError, UnsupportedScriptError) as error:
        execution = Execution("unsupported", {}, 0.0, f"task {task.task_id!r}: {error}")
    except HostError as error:
        grader.clean = False
        return {"failed": str(error)}
    answer: dict[str, object] = {"execution": vars(execution), "tier": tier}
    if explain and explanation is not None:
        answer["explanation"] = vars(explanation)
    return answer


def _prepare(grader: Grader, scripts: Scripts, task: Task) -> Prepared | PreparedScript:
    """The task's tests by the fast path, or its script where it has one that is wanted."""
    if task.script is None:
        return grader.prepare(task)
    if not task.script.fallback:
        return scripts.prepare(task)
    try:
        return grader.prepare(task)
    except UnsupportedError as error:
        try:
            return scripts.prepare(task)
        except UnsupportedScriptError as other:
            raise UnsupportedError(f"{error}; by its script: {other}") from None


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _take_over_stdio() -> int:
    """Move the socket away from 0 and 1, which become /dev/null; its descriptor."""
    control = os.dup(0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return control


if __name__ == "__main__":
    main()
