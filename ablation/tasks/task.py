"""A task: a problem with its tests."""

from dataclasses import dataclass
from typing import NamedTuple


class Script(NamedTuple):
    """A verdict that the task's own script makes: ``bash /tests/test.sh``, run in ``folder``."""

    folder: str  # absolute; the candidate's module goes here
    files: tuple[tuple[str, str], ...]  # (absolute path, content) of what the task brings; odd bytes as surrogates
    memory_mb: int  # address space of each process
    fallback: bool = False  # used only where the tests cannot be run without it


@dataclass(frozen=True)
class Task:
    """A problem with its tests.

    The candidate becomes the module ``module`` that ``tests``, the source of a pytest file, imports.
    """

    task_id: str
    prompt: str  # code that a completion continues: signature and docstring, ending in a newline; or an instruction
    entry_point: str  # the function or class that the prompt asks for
    tests: str  # source of a pytest file; empty where only the script knows what is tested
    reference: str | None = None  # source of a module that passes every test
    module: str = "solution"
    timeout_s: float = 2.0  # wall time one candidate may take for all tests
    script: Script | None = None

    def __post_init__(self) -> None:
        if self.script is not None and not isinstance(self.script, Script):  # a list, as JSON brings it back
            folder, files, *rest = self.script
            script = Script(folder, tuple((path, content) for path, content in files), *rest)
            object.__setattr__(self, "script", script)
