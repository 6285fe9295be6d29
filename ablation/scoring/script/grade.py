"""From a task with a script and a completion to a verdict: prepare once, grade many."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablation.scoring.evaluator.execution import Execution
from ablation.scoring.script import namespace
from ablation.scoring.script.inside import REFUSED
from ablation.scoring.script.live import DEADLINE
from ablation.scoring.script.namespace import NamespaceError
from ablation.scoring.script.report import Report, read_report
from ablation.scoring.script.run import TESTS, Ended, run, scratch
from ablation.scoring.verdict import Outcome, Status
from ablation.tasks.task import Script, Task

REFERENCE_RUNS = 2  # a hiccup of the machine must not condemn a task
ONLY = "reward"  # the one expected test where a script gives a reward and nothing else
MAX_DETAIL_CHARS = 300
MAX_TASKS = 1024  # prepared tasks kept


class UnsupportedScriptError(Exception):
    """No verdict of this task's script can be trusted here; the message says why."""


@dataclass(frozen=True)
class PreparedScript:
    """What is known of a task with a script before a candidate comes."""

    task: Task
    script: Script
    expected: tuple[str, ...]
    gives_reward: bool  # by itself, so that a report of tests alone does not solve
    place: Path | None = None  # for the folders of a run


@dataclass(frozen=True)
class ScriptRun:
    """One run of a script: for a verdict, and ``log`` for a person who asks why."""

    ended: Ended
    report: Report

    @property
    def log(self) -> str:
        return self.ended.log


class Scripts:
    """Tasks with scripts, each prepared once; ``place`` takes the folders of their runs."""

    def __init__(self, place: Path | None = None) -> None:
        self._place = place
        self._known: dict[Task, PreparedScript | str] = {}

    def prepare(self, task: Task) -> PreparedScript:
        """What ``prepare_script`` says, remembered. Raises UnsupportedScriptError."""
        if task not in self._known:
            while len(self._known) >= MAX_TASKS:
                del self._known[next(iter(self._known))]
            try:
                self._known[task] = prepare_script(task, self._place)
            except UnsupportedScriptError as error:
                self._known[task] = str(error)
        known = self._known[task]
        if isinstance(known, str):
            raise UnsupportedScriptError(known)
        return known


def prepare_script(task: Task, place: Path | None = None) -> PreparedScript:
    """Run the script on the reference, which says what is expected; without one on an empty module, which shows that
    the script works here.

    Raises:
        UnsupportedScriptError: no namespace can be had, the reference does not earn a reward of 1 with all its tests,
            or without one the script gives no reward.
    """
    if task.script is None:
        raise UnsupportedScriptError("it has no script")
    if (fault := namespace.fault()) is not None:
        raise UnsupportedScriptError(fault)
    prepared: PreparedScript | str = ""
    for _ in range(REFERENCE_RUNS):
        try:
            known = _run(task, task.script, {"source": task.reference or ""}, place)
        except NamespaceError as error:
            prepared = str(error)
            continue
        prepared = _expectation(task, task.script, known)
        if isinstance(prepared, PreparedScript):
            return replace(prepared, place=place)
    raise UnsupportedScriptError(prepared)


def grade_script(prepared: PreparedScript, text: str, module: bool = False) -> Execution:
    """What the script says of the candidate in the completion ``text``, or of a module with that source."""
    try:
        found = run_script(prepared, text, module)
    except NamespaceError as error:
        return Execution("infrastructure", dict.fromkeys(prepared.expected, "missing"), 0.0, str(error))
    return judge_script(prepared, found)


def run_script(prepared: PreparedScript, text: str, module: bool = False) -> ScriptRun:
    """One run with the candidate in the completion ``text``, or a module with that source. Raises NamespaceError."""
    task = prepared.task
    placed = {"source": text} if module else {"answer": [task.prompt, task.entry_point, text]}
    return _run(task, prepared.script, placed, prepared.place)


def judge_script(prepared: PreparedScript, found: ScriptRun) -> Execution:
    """The verdict on a run: solved takes the reward and every expected test."""
    ended, report = found.ended, found.report

    def execution(status: Status, outcomes: Mapping[str, Outcome], why: str = "") -> Execution:
        return Execution(status, dict(outcomes), ended.seconds, why)

    if ended.exit_code is None:
        over = ended.why == DEADLINE
        outcome: Outcome = "timeout" if over else "error"
        return execution("timeout" if over else "violation", dict.fromkeys(prepared.expected, outcome), ended.why)
    missing: dict[str, Outcome] = dict.fromkeys(prepared.expected, "missing")
    for status, code in REFUSED.items():
        if ended.exit_code == code and report.empty:
            return execution("no_code" if status == "no_code" else "syntax_error", missing, _last(found.log))
    if report.empty:
        return execution("crashed", missing, f"no reward ({report.fault or _last(found.log)})")
    solved = _earned(report, prepared.gives_reward) >= 1
    if prepared.expected == (ONLY,) and not (ONLY in report.tests and prepared.gives_reward is False):
        return execution("scored", {ONLY: "passed" if solved else "failed"}, _why(found))
    outcomes: dict[str, Outcome] = {name: report.tests.get(name, "missing") for name in prepared.expected}
    if not solved and all(outcome == "passed" for outcome in outcomes.values()):
        outcomes = dict.fromkeys(prepared.expected, "failed")  # a report that the reward contradicts
    return execution("scored", outcomes, _why(found))


def _expectation(task: Task, script: Script, known: ScriptRun) -> PreparedScript | str:
    """What is expected of candidates, or why nothing can be."""
    ended, report = known.ended, known.report
    what = "the reference" if task.reference is not None else "without a reference, an empty module"
    if ended.exit_code is None:
        return f"{what} does not end within {task.timeout_s:g} s: {ended.why} ({_last(known.log)})"
    gives_reward = report.reward is not None
    if task.reference is None:
        if not gives_reward:
            return f"{what} earns no reward that would show that the script works here ({_why(known)})"
        return PreparedScript(task, script, (ONLY,), gives_reward)
    failing = [name for name, outcome in report.tests.items() if outcome not in ("passed", "skipped")]
    if report.empty or failing or _earned(report, gives_reward) < 1:
        return f"{what} does not earn a reward of 1 with all tests passed ({_why(known)})"
    names = tuple(name for name, outcome in report.tests.items() if outcome == "passed")
    return PreparedScript(task, script, names or (ONLY,), gives_reward)


def _earned(report: Report, gives_reward: bool) -> float:
    if report.reward is not None:
        return report.reward
    passed = all(outcome in ("passed", "skipped") for outcome in report.tests.values())
    return float(passed and "passed" in report.tests.values() and not gives_reward)


def _why(found: ScriptRun) -> str:
    report = found.report
    reward = [f"reward {report.reward:g}"] if report.reward is not None else []
    failing = [f"{name} {outcome}" for name, outcome in report.tests.items() if outcome != "passed"]
    parts = [*reward, *failing[:3], *([report.fault] if report.fault else []), _last(found.log)]
    return "; ".join(part for part in parts if part)[:MAX_DETAIL_CHARS]


def _last(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:MAX_DETAIL_CHARS] if lines else "nothing was printed"


def _run(task: Task, script: Script, placed: Mapping[str, Any], place: Path | None) -> ScriptRun:
    module = f"{script.folder}/{task.module.replace('.', '/')}.py"
    with scratch(script, place) as folders:
        argv = [f"{TESTS}/test.sh"]
        ended = run(folders, script, argv, {"module": module, **placed}, task.timeout_s)
        return ScriptRun(ended, read_report(folders.verifier))
