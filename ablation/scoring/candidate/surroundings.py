"""What is around a candidate: where its output goes, what it reads, and what a test replaced for it to find."""

import io
import os
import random
import sys
import warnings
from typing import TYPE_CHECKING, Any

from ablation.scoring.operations import PATCHABLE

if TYPE_CHECKING:
    from ablation.scoring.candidate.peer import CandidatePeer

MAX_PRINTED_CHARS = 1 << 16  # kept of what is printed between two messages


class Printed(io.TextIOBase):
    """What was printed since it was last taken; more than fits is dropped."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = MAX_PRINTED_CHARS

    def write(self, text: str) -> int:
        if self._room > 0:
            self._parts.append(text[: self._room])
            self._room -= len(text)
        return len(text)

    def take(self) -> str:
        if not self._parts:
            return ""
        text = "".join(self._parts)
        self._parts, self._room = [], MAX_PRINTED_CHARS
        return text


def surround(patches: Any, stdin: Any, environment: dict[str, str], seed: Any) -> None:
    """Put in place what a test replaced for the candidate to find; None puts the original back."""
    for module, name, value in patches:
        setattr(sys.modules[module], name, _ORIGINAL[module, name] if value is None else value)
    sys.stdin = stdin if stdin is not None else io.StringIO()
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    if seed is not None:
        random.seed(*seed)


_ORIGINAL = {target: getattr(sys.modules[target[0]], target[1]) for target in PATCHABLE}


def redirect(peer: "CandidatePeer") -> None:
    """Send what this process prints and warns to the evaluator with the next answer."""
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), peer.stdout, peer.stderr
    warnings.resetwarnings()
    warnings.simplefilter("always")
    warnings.showwarning = peer.warned  # type: ignore[assignment]
