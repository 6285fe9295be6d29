"""``python -m ablation.score tasks=…``: completion lines on stdin, verdict lines on stdout, in input order.

``--explain TASK`` instead says of one completion, the whole of stdin (a terminal or nothing: the task's own
reference), what was run, in which tier, and why a test failed. ``--prompt TASK`` prints what the model is asked.
"""

import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ablation.composing import compose_config, report_config_errors
from ablation.config import ConfigError
from ablation.machine import usable_cores
from ablation.scoring.explain import NoVerdictError, explain
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.sandbox import tier_name
from ablation.scoring.suggest import did_you_mean
from ablation.scoring.verdict import Verdict
from ablation.tasks.load import load_tasks
from ablation.tasks.task import Task
from ablation.training.asking import what_is_read

FLAGS = {"--explain": ", with the completion on stdin", "--prompt": ""}
EXPECTED = 'an object with the strings "task_id" and "completion"'


class LineError(ValueError):
    """An input line that cannot be scored; the message says what to change."""


def score_lines(lines: Iterable[str], tasks: Mapping[str, Task], pool: ScoringPool) -> Iterator[dict[str, Any]]:
    """One output line per input line, in input order, in constant memory.

    An output line is a verdict line, or ``{"line", "error"}`` where the input cannot be scored. Lines are
    numbered from 1; blank ones count but have no output line.
    """
    for result in pool.stream(_read(lines, tasks)):
        yield result.to_line() if isinstance(result, Verdict) else result


def _read(lines: Iterable[str], tasks: Mapping[str, Task]) -> Iterator[Submission | dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _submission(line, tasks)
        except LineError as error:
            yield {"line": number, "error": str(error)}


def _submission(line: str, tasks: Mapping[str, Task]) -> Submission:
    """The submission of one line. Raises LineError."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError(f"found no JSON ({error}), expected {EXPECTED}; write one such object a line") from None
    task_id, completion = _strings(entry)
    if task_id not in tasks:
        hint = did_you_mean(task_id, tasks) or "; check that tasks=… names the set that was answered"
        raise LineError(f"found task_id {task_id!r}, expected one of the {len(tasks)} tasks of this set{hint}")
    return Submission(tasks[task_id], completion)


def _strings(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise LineError(f"found {type(entry).__name__} in JSON, expected {EXPECTED}; wrap the values in an object")
    for key in ("task_id", "completion"):
        if key not in entry:
            found = ", ".join(sorted(entry)) or "no key"
            raise LineError(f"found {found}, expected {EXPECTED}; add {key!r}{did_you_mean(key, entry)}")
        if not isinstance(entry[key], str):
            kind = type(entry[key]).__name__
            raise LineError(f"found {key!r} of type {kind}, expected {EXPECTED}; quote the value")
    return entry["task_id"], entry["completion"]


def main() -> int:
    """Returns 0, or 1 when some line could not be scored."""
    with report_config_errors():
        overrides, flag, name = _arguments(sys.argv[1:])
        config = compose_config(overrides)
        tasks = {task.task_id: task for task in load_tasks(config.tasks).tasks}
        if flag and name not in tasks:
            raise ConfigError(f"{flag} {name}: no such task in this set{did_you_mean(name, tasks)}")
        if flag == "--prompt":
            print(what_is_read(config, tasks[name]))
            return 0
        tier = tier_name(config)
    assert isinstance(sys.stdin, io.TextIOWrapper)
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    if flag:
        return _explain(tasks[name], "" if sys.stdin.isatty() else sys.stdin.read(), tier)
    scored = refused = 0
    with ScoringPool(usable_cores(), tier) as pool:
        for entry in score_lines(sys.stdin, tasks, pool):
            print(json.dumps(entry), flush=True)
            refused += "error" in entry
            scored += "error" not in entry
    print(f"{scored} completions scored, {refused} lines could not be scored.", file=sys.stderr)
    return 1 if refused else 0


def _arguments(arguments: list[str]) -> tuple[list[str], str, str]:
    """The overrides, and a flag with its task; both empty without one. Raises ConfigError."""
    at = next((at for at, argument in enumerate(arguments) if argument in FLAGS), None)
    if at is None:
        return arguments, "", ""
    if at + 1 == len(arguments):
        raise ConfigError(f"{arguments[at]} names no task; type {arguments[at]} TASK_ID{FLAGS[arguments[at]]}")
    return arguments[:at] + arguments[at + 2 :], arguments[at], arguments[at + 1]


def _explain(task: Task, completion: str, tier: str) -> int:
    try:
        print(explain(task, completion or None, tier))
    except NoVerdictError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
