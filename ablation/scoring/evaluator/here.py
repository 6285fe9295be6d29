"""A candidate that this program wrote itself, as a module beside the tests: it needs no process, and no peer."""

import types
from functools import lru_cache
from typing import Any

from ablation.scoring.evaluator.peer import End, SessionOverError
from ablation.scoring.evaluator.surroundings import Surroundings


class Nobody:
    """Stands for the candidate's peer where there is none. ``deadline`` is in the time of ``time.monotonic``."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.surroundings: Surroundings | None = None
        self.end: tuple[End, str] | None = None

    def over(self, end: End, detail: str) -> SessionOverError:
        """Note that the candidate's time is over."""
        self.end = self.end or (end, detail)
        return SessionOverError(detail)


@lru_cache(64)  # each is run again and again
def _compiled(name: str, source: str) -> types.CodeType:
    return compile(source, f"{name}.py", "exec", dont_inherit=True)


def made_here(name: str, source: str, names: list[str]) -> tuple[types.ModuleType, dict[str, Any]]:
    """The module with that source, and those of ``names`` that it has (``*``: all public ones)."""
    module = types.ModuleType(name)
    exec(_compiled(name, source), vars(module))
    space = vars(module)
    public = [key for key in space if not key.startswith("_")] if "*" in names else []
    return module, {key: space[key] for key in [*names, *public] if key in space}
