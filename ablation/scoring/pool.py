"""A pool of worker processes that turn submissions into verdicts."""

import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from ablation.scoring.containment.choose import choose
from ablation.scoring.environment import World
from ablation.scoring.examination import Examination, Series
from ablation.scoring.process import WorkerDiedError, WorkerProcess
from ablation.scoring.verdict import Outcome, Status, Verdict
from ablation.tasks.task import Task

TRIES = 2  # workers that a submission may lose
CHECK_EVERY = 500  # submissions, after which a reference is scored again to see that the verifier still holds
WINDOW = 64  # submissions per worker that are read ahead of the oldest unfinished one

T = TypeVar("T")


class VerifierError(RuntimeError):
    """A reference that solved its task does not any more: no verdict of this machine can be trusted."""


@dataclass(frozen=True)
class Submission:
    """A completion of a task, to be scored."""

    task: Task
    completion: str

    @property
    def size(self) -> int:
        """How many verdicts come of it."""
        return 1

    def rest(self, done: int) -> list[Series]:
        """What remains after so many verdicts."""
        return [Series(self.completion)][done:]


@dataclass
class _Slot(Generic[T]):
    """One place in the order of the results."""

    job: Submission | Examination | None
    result: Verdict | list[Verdict] | T | None = None
    verdicts: list[Verdict] = field(default_factory=list)  # of the job so far
    losses: int = 0  # workers lost since the last verdict
    blamed: int = 0  # of these, while this submission's candidate was running
    checks: int = 0  # times that this slot, which is no submission of the caller's, has scored the reference


class ScoringPool:
    """Scores submissions in ``workers`` exec'd processes, started when first needed. Not thread-safe."""

    def __init__(self, workers: int = 1, sandbox: str | None = None, world: World = World()) -> None:  # noqa: B008
        if workers < 1:
            raise ValueError(f"workers is {workers}; expected at least 1")
        self._size = workers
        self._world = world
        self.tier = choose(sandbox).tier.name
        self._workers: list[WorkerProcess] = []
        self._killed: list[WorkerProcess] = []  # and not waited for
        self._streaming = False
        self._submitted = 0
        self._running: dict[WorkerProcess, _Slot] = {}
        self._selector = selectors.DefaultSelector()

    def score(self, submissions: Sequence[Submission]) -> list[Verdict]:
        """Verdicts in input order; equal submissions are executed once."""
        unique = dict.fromkeys(submissions)
        verdicts = dict(zip(unique, self.stream(unique), strict=True))
        return [verdicts[submission] for submission in submissions]

    def examine(self, examinations: Iterable[Examination]) -> Iterator[tuple[Examination, list[Verdict]]]:
        """Each examination with its verdicts, in input order. One stream at a time, as with ``stream``."""
        begun = deque[Examination]()

        def noted() -> Iterator[Examination]:
            for examination in examinations:
                begun.append(examination)
                yield examination

        for verdicts in self._stream(noted()):
            yield begun.popleft(), cast(list[Verdict], verdicts)

    def stream(self, submissions: Iterable[Submission | T]) -> Iterator[Verdict | T]:
        """Verdicts in input order, reading ahead only what keeps the workers busy.

        What is not a submission passes through in its place, so that a caller can keep its own marks in
        the stream. One stream at a time.

        Raises:
            RuntimeError: another stream of this pool is unfinished.
            VerifierError: a reference no longer solves its task.
        """
        return cast(Iterator[Verdict | T], self._stream(submissions))

    def _stream(self, submissions: Iterable[Submission | Examination | T]) -> Iterator[Verdict | list[Verdict] | T]:
        if self._streaming:
            raise RuntimeError("this pool is already scoring; finish or close that stream first")
        source, window, again = iter(submissions), deque[_Slot[T]](), deque[_Slot[T]]()
        more = self._streaming = True
        try:
            while more or window:
                while window and window[0].result is not None:
                    if self._passes(window[0], again):
                        slot = window.popleft()
                        if not slot.checks:
                            yield slot.result  # type: ignore[misc]
                if again and self._has_room():
                    self._start(again.popleft(), again)
                elif more and self._has_room() and len(window) < WINDOW * self._size:
                    more = self._read(source, window, again)
                elif window and window[0].result is None:
                    self._wait(again)
        finally:
            self._streaming = False
            for worker in list(self._running):  # the caller left early
                self._drop(worker)

    def close(self) -> None:
        """End the workers; nothing of them is left on return."""
        for worker in list(self._workers):
            self._drop(worker)
        self._bury()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _has_room(self) -> bool:
        return len(self._running) < self._size

    def _read(
        self, source: Iterator[Submission | Examination | T], window: deque[_Slot[T]], again: deque[_Slot[T]]
    ) -> bool:
        """Take one item into the window; False at the end of the source."""
        for item in source:
            if isinstance(item, Submission):
                checkable = item.task.reference is not None and item.task.script is None
                if checkable and self._submitted % CHECK_EVERY == CHECK_EVERY - 1:
                    window.append(_Slot(item, checks=1))
                    again.append(window[-1])
                self._submitted += 1
                window.append(_Slot(item))
                self._start(window[-1], again)
            elif isinstance(item, Examination):
                window.append(_Slot(item))
                self._start(window[-1], again)
            else:
                window.append(_Slot(None, item))
            return True
        return False

    def _start(self, slot: _Slot, again: deque[_Slot]) -> None:
        assert slot.job is not None
        worker = None
        try:
            worker = self._idle_worker()
            self._running[worker] = slot
            worker.send(slot.job.task, [Series(None)] if slot.checks else slot.job.rest(len(slot.verdicts)))
        except (WorkerDiedError, OSError):
            self._lose(worker, slot, again)

    def _idle_worker(self) -> WorkerProcess:
        for worker in [worker for worker in self._workers if worker not in self._running]:
            if worker.alive():
                return worker
            self._drop(worker)
        self._bury()
        worker = WorkerProcess(self.tier, world=self._world)
        self._workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)
        return worker

    def _wait(self, again: deque[_Slot]) -> None:
        """Handle what the busy workers say, and end those that are past their deadline."""
        now = time.monotonic()
        patience = min((worker.deadline - now for worker in self._running), default=0.0)
        ready = {cast(WorkerProcess, key.fileobj) for key, _ in self._selector.select(max(patience, 0.0))}
        for worker, slot in list(self._running.items()):
            try:
                if worker in ready:
                    self._take(slot, worker.receive())
                elif worker.deadline < time.monotonic():
                    self._overrun(worker, slot, again)
                if slot.result is not None:
                    self._running.pop(worker, None)
            except (WorkerDiedError, OSError):
                self._lose(worker, slot, again)

    def _take(self, slot: _Slot, verdicts: Sequence[Verdict]) -> None:
        assert slot.job is not None
        if verdicts:
            slot.verdicts += verdicts
            slot.losses = slot.blamed = 0
        if len(slot.verdicts) == slot.job.size:
            slot.result = slot.verdicts if isinstance(slot.job, Examination) else slot.verdicts[0]

    def _passes(self, slot: _Slot, again: deque[_Slot]) -> bool:
        """Whether a finished slot may leave: a check whose reference does not solve its task is done once more."""
        if not slot.checks or (isinstance(slot.result, Verdict) and slot.result.solved):
            return True
        assert isinstance(slot.result, Verdict)
        if slot.checks == TRIES:
            raise VerifierError(
                f"the reference of task {slot.result.task_id!r} solved it before and does not any more "
                f"({slot.result.status}: {slot.result.detail or dict(slot.result.tests)}); no verdict since the last "
                "check can be trusted; look for a full disk, memory or an overloaded machine, and start again"
            )
        slot.checks, slot.result, slot.verdicts, slot.losses = slot.checks + 1, None, [], 0
        again.append(slot)
        return False

    def _overrun(self, worker: WorkerProcess, slot: _Slot, again: deque[_Slot]) -> None:
        """A worker is past its deadline: the candidate's time is over, or the worker hangs before it began."""
        if not worker.started:
            raise WorkerDiedError("hangs")
        assert slot.job is not None
        tests: dict[str, Outcome] = dict.fromkeys(worker.expected, "missing")
        detail = "the deadline passed while the tests worked on what the candidate gave them"
        task = slot.job.task
        worker.kill()
        self._forget(worker)
        self._killed.append(worker)
        self._go_on(slot, Verdict(task.task_id, "timeout", tests, self.tier, task.timeout_s, detail), again)

    def _go_on(self, slot: _Slot, verdict: Verdict, again: deque[_Slot]) -> None:
        """Add a verdict that no worker gave, and leave what remains of the job to another worker."""
        self._take(slot, [verdict])
        if slot.result is None:
            again.append(slot)

    def _lose(self, worker: WorkerProcess | None, slot: _Slot, again: deque[_Slot]) -> None:
        slot.losses += 1
        if worker is not None:
            slot.blamed += worker.started
            self._drop(worker)
        if slot.losses < TRIES:
            again.append(slot)
            return
        assert slot.job is not None
        # A candidate that ends every worker it runs in did it: it must not earn "no score" for that.
        status: Status = "crashed" if slot.blamed == slot.losses else "infrastructure"
        detail = f"{slot.losses} workers died or hung, {slot.blamed} of them while the candidate ran"
        self._go_on(slot, Verdict(slot.job.task.task_id, status, {}, self.tier, 0.0, detail), again)

    def _drop(self, worker: WorkerProcess) -> None:
        self._forget(worker)
        worker.stop()

    def _forget(self, worker: WorkerProcess) -> None:
        self._running.pop(worker, None)
        self._workers.remove(worker)
        self._selector.unregister(worker)

    def _bury(self) -> None:
        """Wait for the workers that were killed and remove what is left of them."""
        while self._killed:
            self._killed.pop().stop()
