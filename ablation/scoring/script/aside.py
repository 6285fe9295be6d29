"""Scripts of tasks, run by a process that was forked before the evaluator was confined: they start bubblewrap."""

import os
import socket
import sys
from pathlib import Path
from typing import Any, Self

from ablation.scoring.cleaning import remove
from ablation.scoring.containment import kernel
from ablation.scoring.evaluator.execution import Execution
from ablation.scoring.evaluator.host import HostError
from ablation.scoring.frames import read_frame, write_frame
from ablation.scoring.script.grade import Scripts, UnsupportedScriptError, grade_script
from ablation.tasks.task import Task


class ScriptsAside:
    """The other process. It says what a script says, ends with this one, and then removes the folder ``place``."""

    def __init__(self, place: Path, keep_from_it: int) -> None:
        """``place/scripts`` takes the folders of runs; the descriptor ``keep_from_it``, on which this process's end
        shows, is closed there."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(keep_from_it)
                ours.close()
                if sys.platform == "linux":
                    kernel.die_with(parent)
                scripts = place / "scripts"
                scripts.mkdir()
                os.chdir(scripts)  # where temporary files go, too
                _serve(theirs.fileno(), Scripts(scripts))
                os.chdir("/")
                remove(place)  # as the pool does, unless it was killed
            finally:
                os._exit(0)
        theirs.close()
        self._line = ours

    def prepare(self, task: Task) -> tuple[str, ...]:
        """The names of the tests that are expected of a candidate. Raises UnsupportedScriptError, HostError."""
        return tuple(self._asked({"task": vars(task)})["expected"])

    def grade(self, task: Task, text: str, module: bool) -> Execution:
        """What the script says of the candidate in the completion ``text``, or of a module with that source.

        Raises HostError.
        """
        return Execution(**self._asked({"task": vars(task), "text": text, "module": module})["execution"])

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        write_frame(self._line.fileno(), request)
        answer = read_frame(self._line.fileno())
        if answer is None:
            raise HostError("the process that runs scripts ended")
        if "unsupported" in answer:
            raise UnsupportedScriptError(answer["unsupported"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        os.waitpid(self._pid, 0)


def _serve(line: int, scripts: Scripts) -> None:
    while (request := read_frame(line)) is not None:
        write_frame(line, _answer(scripts, request))


def _answer(scripts: Scripts, request: dict[str, Any]) -> dict[str, Any]:
    try:
        prepared = scripts.prepare(Task(**request["task"]))
    except UnsupportedScriptError as error:
        return {"unsupported": str(error)}
    if "text" not in request:
        return {"expected": prepared.expected}
    return {"execution": vars(grade_script(prepared, request["text"], request["module"]))}
