"""The evaluator: ``python -m ablation.scoring.evaluator``, started by ``ScoringPool``.

Tasks and completions come in and executions go out as frames on the socket that is its stdin and stdout. It
holds the tests, collected once with pytest, and asks a candidate server for what the candidate's code
returns; no line of a candidate runs here. Before it sees a task it confines itself: what it starts it has started by
then. When the socket closes it ends, and with it the candidate server and the process that runs scripts.
"""

import contextlib
import gc
import json
import os
import resource
import sys
from pathlib import Path

from ablation.scoring.containment.confine import confine_evaluator
from ablation.scoring.containment.tiers import named
from ablation.scoring.environment import World
from ablation.scoring.evaluator import guards
from ablation.scoring.evaluator.execution import Execution, Explanation
from ablation.scoring.evaluator.grader import Grader, Prepared, UnsupportedError
from ablation.scoring.evaluator.host import Host, HostError
from ablation.scoring.evaluator.suite import Pytest
from ablation.scoring.examination import Run, Series
from ablation.scoring.frames import Outbox, read_frame
from ablation.scoring.script.aside import ScriptsAside
from ablation.scoring.script.grade import UnsupportedScriptError
from ablation.scoring.script.live import MARGIN_S as SCRIPT_MARGIN_S
from ablation.scoring.script.namespace import TIER as SCRIPT_TIER
from ablation.tasks.task import Task

MARGIN_S = 0.2  # beyond the candidate's own time, after which this process hangs in what the candidate gave it
MEMORY_BYTES = 2 << 30  # address space: candidates choose how much data the evaluator reads


def main() -> None:
    """Serve the socket on stdin. The argument is JSON: scratch, a folder to use and remove; tier; world; explain."""
    settings = json.loads(sys.argv[1])
    scratch = Path(settings["scratch"])
    control = _take_over_stdio()
    sys.dont_write_bytecode = True
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    with ScriptsAside(scratch, control) as scripts:
        own = scratch / "own"  # all that this process writes in; the scripts' folders are out of its reach
        tests, work = own / "tests", own / "work"
        for folder in (own, tests, work, work / "tmp"):
            folder.mkdir()
        os.chdir(own)
        os.environ["TMPDIR"] = str(work)  # where the candidate may read what a test writes
        guards.install()
        tier = named(settings["tier"])
        with Host(tier, work, world=World(*settings["world"])) as host:
            confine_evaluator(tier, own)
            grader = Grader(host, Pytest(tests, work / "tmp", rewrite=settings["explain"]), work, control)
            gc.collect()
            gc.freeze()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                _serve(grader, scripts, control, explain=settings["explain"])
        os.chdir("/")


def _serve(grader: Grader, scripts: ScriptsAside, control: int, explain: bool) -> None:
    """Answer jobs until there are no more, or until this process cannot go on."""
    outbox = Outbox(control)
    while grader.clean and (job := read_frame(control)) is not None:
        task = Task(**job["task"])
        for series in (Series(*one) for one in job["series"]):
            for run in (Run(*one) for one in series.runs):
                if grader.clean:
                    answer = _answer(grader, scripts, outbox, task, series, run, explain)
                    outbox.put(answer, urgent=not series.ours)
        outbox.flush()


def _answer(
    grader: Grader, scripts: ScriptsAside, outbox: Outbox, task: Task, series: Series, run: Run, explain: bool
) -> dict[str, object]:
    tier, explanation = None, None
    try:
        prepared = _prepare(grader, scripts, task)
        grader.tidy()
        expected = prepared.expected if isinstance(prepared, Prepared) else prepared
        by_script = not isinstance(prepared, Prepared)
        started = {"started": expected, "margin_s": SCRIPT_MARGIN_S if by_script else MARGIN_S}
        outbox.put(started, urgent=by_script or not series.ours)  # from here on the candidate is to blame
        if not isinstance(prepared, Prepared):
            execution, tier = scripts.grade(task, series.text or "", series.ours), SCRIPT_TIER
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


def _prepare(grader: Grader, scripts: ScriptsAside, task: Task) -> Prepared | tuple[str, ...]:
    """The task's tests by the fast path, or what is expected of its script where it has one that is wanted."""
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
