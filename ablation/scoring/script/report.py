"""What a script left in /logs/verifier: a reward, a report of its tests, or nothing.

Forms (Harbor's documentation and the sets that follow it; Common Test Report Format, ctrf.io):
``reward.txt`` a number; ``reward.json`` a number, ``{"reward": number, …}`` or a flat object of numbers, each of them a
test; ``ctrf.json`` with ``results.tests``, a list of ``{"name", "status"}``.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablation.scoring.script.untrusted import read_plain
from ablation.scoring.verdict import Outcome

REPORT_BYTES = 4 << 20
MAX_TESTS = 5000
_STATUSES: dict[str, Outcome] = {"passed": "passed", "failed": "failed", "skipped": "skipped", "pending": "skipped"}
_WORST: tuple[Outcome, ...] = ("passed", "skipped", "failed", "error")


@dataclass(frozen=True)
class Report:
    """What was found. ``reward`` is the lower one where both files hold one; ``fault`` says what could not be read."""

    reward: float | None
    tests: Mapping[str, Outcome]
    fault: str = ""

    @property
    def empty(self) -> bool:
        return self.reward is None and not self.tests


def read_report(folder: Path) -> Report:
    """The report in ``folder``, which hostile processes may have written."""
    rewards: list[float] = []
    tests: dict[str, Outcome] = {}
    faults: list[str] = []
    readers: dict[str, Callable[[bytes], tuple[float | None, dict[str, Outcome]]]] = {
        "reward.txt": lambda data: (_number(float(data)), {}),
        "reward.json": _from_json,
        "ctrf.json": lambda data: (None, _from_ctrf(data)),
    }
    for name, read in readers.items():
        data = read_plain(folder, name, REPORT_BYTES)
        if data is None:
            continue
        try:
            reward, found = read(data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            faults.append(f"{name} cannot be read ({type(error).__name__}: {str(error)[:100]})")
            continue
        tests.update(found)
        if reward is not None:
            rewards.append(reward)
    return Report(min(rewards, default=None), tests, "; ".join(faults))


def _from_json(data: bytes) -> tuple[float | None, dict[str, Outcome]]:
    content: Any = json.loads(data)
    if not isinstance(content, dict):
        return _number(content), {}
    if "reward" in content:
        return _number(content["reward"]), {}
    if not 0 < len(content) <= MAX_TESTS:
        raise ValueError(f"{len(content)} entries")
    values = {str(name): _number(value) for name, value in content.items()}
    return min(values.values()), {name: "passed" if value >= 1 else "failed" for name, value in values.items()}


def _from_ctrf(data: bytes) -> dict[str, Outcome]:
    """Outcomes by name; where a name comes twice, the worse one."""
    entries = json.loads(data)["results"]["tests"]
    if len(entries) > MAX_TESTS:
        raise ValueError(f"{len(entries)} tests")
    tests: dict[str, Outcome] = {}
    for entry in entries:
        name, outcome = str(entry["name"]), _STATUSES.get(entry["status"], "error")
        tests[name] = max(outcome, tests.get(name, outcome), key=_WORST.index)
    return tests


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    return float(value)
