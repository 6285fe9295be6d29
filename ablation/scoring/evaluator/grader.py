"""From a task and a completion to what each expected test says: prepare once, grade many."""

import ast
import os
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic  # by name: tests replace what is in the module
from typing import Any, Literal

from ablation.scoring.cleaning import empty
from ablation.scoring.evaluator import standins
from ablation.scoring.evaluator.around import Placeholders, alarm, importable
from ablation.scoring.evaluator.bindings import Binding, ImportTimeUseError, bindings, imported_names
from ablation.scoring.evaluator.execution import Execution, Explanation, Findings, judge
from ablation.scoring.evaluator.forked import in_a_fork
from ablation.scoring.evaluator.guards import executes, guarded
from ablation.scoring.evaluator.here import Nobody, made_here
from ablation.scoring.evaluator.host import Host
from ablation.scoring.evaluator.judgements import Judgements
from ablation.scoring.evaluator.peer import EvaluatorPeer, SessionOverError
from ablation.scoring.evaluator.restoring import Interpreter
from ablation.scoring.evaluator.run import MAX_DETAIL_CHARS, UncleanError, describe, run
from ablation.scoring.evaluator.state import State, StatefulError
from ablation.scoring.evaluator.suite import CollectError, Pytest, Suite
from ablation.scoring.evaluator.surroundings import Surroundings, watching
from ablation.scoring.examination import Run
from ablation.scoring.room import Room
from ablation.tasks.task import Task

ORDINARY = Run()
REFERENCE_RUNS = 2  # a hiccup of the machine must not condemn a task
MAX_TASKS = 1024  # prepared tasks kept
MAX_MEGABYTES, MAX_ENTRIES = 256, 10_000  # that a candidate may write


class UnsupportedError(Exception):
    """No verdict on this task can be trusted; the message says why."""


@dataclass
class Prepared:
    """What is known of a task before a candidate comes."""

    task: Task
    names: list[str]  # that the tests import
    suite: Suite | None = None  # None: the tests are imported anew for each candidate, in a fork
    bound: list[Binding] = field(default_factory=list)
    state: State | None = None
    why_forked: str = ""
    expected: tuple[str, ...] = ()
    judgements: Judgements = field(default_factory=Judgements)


class Grader:
    """Grades candidates one after another."""

    def __init__(self, host: Host, pytest_: Pytest, work: Path, pool: int | None = None) -> None:
        """``work`` is where tests and candidates write; ``pool`` tells that the pool is gone by becoming readable."""
        self._host = host
        self._pool = pool
        self._pytest = pytest_
        self._work = work
        self._room = Room(work, MAX_MEGABYTES, MAX_ENTRIES)
        self._tmp_mode = -1  # kind of entry and permissions of tmp in it, as made here
        self._interpreter = Interpreter()
        self._prepared: dict[Task, Prepared | str] = {}
        self.clean = True  # whether this process can go on grading

    def prepare(self, task: Task) -> Prepared:
        """Collect the tests and run the reference. Raises UnsupportedError, HostError."""
        if task not in self._prepared:
            while len(self._prepared) >= MAX_TASKS:
                self._drop(next(iter(self._prepared)))
            try:
                self._prepared[task] = self._prepare(task)
            except UnsupportedError as error:
                self._prepared[task] = str(error)
        known = self._prepared[task]
        if isinstance(known, str):
            raise UnsupportedError(known)
        return known

    def grade(self, prepared: Prepared, completion: str | None, run: Run = ORDINARY) -> Execution:
        """What the expected tests say of the candidate in ``completion``, or of the reference. Raises HostError."""
        if run != ORDINARY:  # the reference was seen under ordinary conditions: others may ask other things of it
            prepared = replace(prepared, judgements=Judgements())
        if completion is None:
            findings = self._findings(prepared, "reference", prepared.task.reference or "", run)
        else:
            findings = self._findings(prepared, "load", completion, run)
        return judge(prepared.expected, findings)

    def grade_ours(self, prepared: Prepared, source: str, run_: Run) -> Execution:
        """What the expected tests say of a module that this program wrote, which needs no process of its own."""
        findings, started = Findings(), monotonic()
        nobody = Nobody(started + prepared.task.timeout_s)
        try:
            module, names = made_here(prepared.task.module, source, prepared.names)
        except Exception as error:
            findings.broken = (False, describe(error))
        else:
            findings = self._suite(prepared, nobody, module, names, findings, run_)
        findings.seconds = monotonic() - started
        return judge(prepared.expected, findings)

    def explain(self, prepared: Prepared, completion: str | None) -> tuple[Execution, Explanation]:
        """As ``grade``, and how it came about. Raises HostError."""
        verb: Literal["load", "reference"] = "load" if completion is not None else "reference"
        findings = self._findings(
            prepared, verb, completion or prepared.task.reference or "", ORDINARY, ask_source=True
        )
        way = (
            f"imported anew in a fork, because {prepared.why_forked}"
            if prepared.suite is None
            else "collected once and kept"
        )
        reasons = {result.name: result.detail for result in findings.results if result.outcome != "passed"}
        explanation = Explanation(f"tests {way}; candidate in a process of its own", findings.source, reasons)
        return judge(prepared.expected, findings), explanation

    def _prepare(self, task: Task) -> Prepared:
        try:
            tree = ast.parse(task.tests)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UnsupportedError(f"the tests do not compile: {describe(error)}") from None
        if why := executes(tree):
            raise UnsupportedError(f"the tests may execute what a candidate gives them: {why}")
        fault, forked = "", ""
        for way in (self._inline, self._forked):
            try:
                prepared = way(task, tree, forked)
            except (ImportTimeUseError, StatefulError, CollectError) as error:
                fault = forked = str(error)
                continue
            if task.reference is None:
                if prepared.suite is None:
                    raise UnsupportedError(f"without a reference the expected tests are unknown: {forked}")
                return prepared  # its judgements stay open: nothing says which of them a solution needs
            for _ in range(REFERENCE_RUNS):
                fault = self._reference_fault(prepared)
                if not fault:
                    return prepared
            forked = fault
            if prepared.suite is not None:
                self._forget(prepared.suite)
        raise UnsupportedError(fault)

    def _inline(self, task: Task, tree: ast.Module, _: str) -> Prepared:
        bound = bindings(tree, task.module)
        with importable(task.module, Placeholders(task.module)):
            suite = self._pytest.collect(task.tests, f"test_{task.module.rpartition('.')[2]}")
        try:
            state = State(suite.module, frozenset(binding.name for binding in bound), suite.parameters)
        except StatefulError:
            self._forget(suite)
            raise
        expected = tuple(name for name in suite.items if name not in suite.skipped)
        return Prepared(task, imported_names(tree, task.module), suite, bound, state, "", expected)

    def _forked(self, task: Task, tree: ast.Module, why: str) -> Prepared:
        return Prepared(task, imported_names(tree, task.module), why_forked=why)

    def _reference_fault(self, prepared: Prepared) -> str:
        """Why the reference does not pass its tests; empty when it does, and then they are what is expected."""
        prepared.judgements = Judgements()
        self.tidy()
        findings = self._findings(prepared, "reference", prepared.task.reference or "", ORDINARY)
        prepared.judgements.recording = False
        prepared.judgements.asked |= findings.judgements
        if findings.broken is not None:
            return f"the reference or its tests cannot be imported ({findings.broken[1]})"
        names = tuple(result.name for result in findings.results if result.outcome != "skipped")
        execution = judge(names, findings)
        failing = [result for result in findings.results if result.outcome not in ("passed", "skipped")]
        if execution.status != "scored" or failing:
            why = [f"{result.name} {result.outcome}: {result.detail}" for result in failing[:3]]
            return f"the reference does not pass its tests ({'; '.join([execution.detail or execution.status, *why])})"
        if not names:
            return "the tests define no test that counts"
        prepared.expected = names
        return ""

    def _findings(
        self, prepared: Prepared, verb: Literal["load", "reference"], text: str, run_: Run, ask_source: bool = False
    ) -> Findings:
        started = monotonic()
        child = self._host.open()
        findings, peer = Findings(), None
        try:
            deadline = started + prepared.task.timeout_s
            peer = EvaluatorPeer(child.line, deadline, prepared.judgements, self._room, self._pool)
            findings = self._session(prepared, peer, verb, text, run_)
            if ask_source and peer.end is None:
                findings.source = str(peer.request("source"))
        except SessionOverError:
            findings.end = peer.end if peer is not None else None
        finally:
            if peer is not None:
                peer.over("gone", "the tests have ended")  # for what of it the tests left behind
            findings.exit_code = self._host.end(child)
        findings.seconds = monotonic() - started
        return findings

    def _session(self, prepared: Prepared, peer: EvaluatorPeer, verb: str, text: str, run_: Run) -> Findings:
        findings, task = Findings(), prepared.task
        with alarm(peer):
            try:
                parts = (task.module, task.prompt, task.entry_point, text, prepared.names, run_.seed)
                status, *rest = _answer(peer.request(verb, *parts))
                if status in ("no_code", "syntax_error"):
                    findings.refused = (str(status), str(*rest)[:MAX_DETAIL_CHARS])
                    return findings
                module, names = rest
                if not isinstance(module, standins.RemoteModule) or type(names) is not dict or len(rest) != 2:
                    raise peer.over("violation", "the candidate's module is none")
            except SessionOverError:
                findings.end = peer.end
                return findings
            except BaseException as error:
                findings.broken = (isinstance(error, SystemExit), describe(error))
                return findings
        return self._suite(prepared, peer, module, names, findings, run_)

    def _suite(
        self,
        prepared: Prepared,
        peer: EvaluatorPeer | Nobody,
        module: Any,
        names: dict[str, Any],
        findings: Findings,
        run_: Run,
    ) -> Findings:
        """Run the tests on a module that is there."""
        if prepared.suite is None:
            vars(module)["__all__"] = list(names)
            return in_a_fork(lambda: self._fresh(prepared, peer, module, run_), peer.deadline)
        self._kept(prepared, prepared.suite, peer, module, names, findings, run_)
        return findings

    def _kept(
        self,
        prepared: Prepared,
        suite: Suite,
        peer: EvaluatorPeer | Nobody,
        module: Any,
        names: dict[str, Any],
        findings: Findings,
        run_: Run,
    ) -> None:
        """Run tests that were collected before, with this candidate's names bound in them."""
        lacking = [b.attribute for b in prepared.bound if b.attribute is not None and b.attribute not in names]
        if lacking:
            findings.broken = (False, f"ImportError: cannot import name {lacking[0]!r} from {prepared.task.module!r}")
            return
        assert prepared.state is not None
        prepared.state.restore()
        suite.renew()
        for name, attribute in prepared.bound:
            setattr(suite.module, name, module if attribute is None else names[attribute])
        self._run(prepared, suite, peer, module, findings, run_)

    def _fresh(self, prepared: Prepared, peer: EvaluatorPeer | Nobody, module: Any, run_: Run) -> Findings:
        """Collect the tests with this candidate and run them. In a fork: nothing of it is left."""
        findings, task = Findings(), prepared.task
        try:
            with importable(task.module, module), alarm(peer), guarded(self._work.parent):
                suite = self._pytest.collect(task.tests, f"test_{task.module.rpartition('.')[2]}")
        except SessionOverError:
            findings.end = peer.end
        except CollectError as error:
            findings.broken = (False, str(error))
            findings.end = peer.end
        else:
            self._run(prepared, suite, peer, module, findings, run_)
        findings.judgements = prepared.judgements.asked
        return findings

    def _run(
        self,
        prepared: Prepared,
        suite: Suite,
        peer: EvaluatorPeer | Nobody,
        module: Any,
        findings: Findings,
        run_: Run,
    ) -> None:
        def before(name: str) -> None:
            prepared.judgements.test = name

        random.seed(run_.seed)
        peer.surroundings = Surroundings()
        standins.forget_pickles()
        try:
            around = (importable(prepared.task.module, module), alarm(peer), watching(peer.surroundings))
            with around[0], around[1], around[2], guarded(self._work):
                for result in run(self._pytest, suite, lambda: peer.end is not None, before, run_.order):
                    findings.results.append(result)
        except SessionOverError:
            pass
        except UncleanError:
            self.clean = False
        findings.judgements = prepared.judgements.asked
        findings.end = peer.end

    def tidy(self) -> None:
        """Empty the folder that tests and candidates write in and put this process right, before a candidate's time."""
        self._interpreter.restore()
        if os.getcwd() != str(self._work.parent):  # noqa: PTH109
            os.chdir(self._work.parent)
        if not self._is_tidy():
            empty(self._work)
            (self._work / "tmp").mkdir()
            self._tmp_mode = (self._work / "tmp").lstat().st_mode

    def _is_tidy(self) -> bool:
        """Whether there is nothing but tmp, which is empty, and no link, file or closed folder in its place."""
        entries = list(os.scandir(self._work))
        if [entry.name for entry in entries] != ["tmp"]:
            return False
        return entries[0].stat(follow_symlinks=False).st_mode == self._tmp_mode and not any(os.scandir(entries[0]))

    def _drop(self, task: Task) -> None:
        prepared = self._prepared.pop(task)
        if isinstance(prepared, Prepared) and prepared.suite is not None:
            self._forget(prepared.suite)

    def _forget(self, suite: Suite) -> None:
        self._pytest.forget(suite)


def _answer(loaded: Any) -> tuple[Any, ...]:
    return loaded if type(loaded) is tuple and loaded else ("", None)
