"""The audit as one self-contained HTML page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ablation.tasks.audit import figures
from ablation.tasks.audit.audit import Looks
from ablation.tasks.audit.findings import MEANING, REJECTING, WARNING, Audit
from ablation.tasks.audit.judging import MIN_TESTS, SLOW_S, stub_floor
from ablation.tasks.audit.looks import PLAINLY, Look
from ablation.tasks.audit.worlds import BASE, MORE_RUNS, STEP_S
from ablation.tasks.task import Task

EXAMPLES = 5  # of a kind
CERTAINTY = 0.95
_LONGEST = 300  # characters of a detail


class Row(NamedTuple):
    """One kind of finding."""

    kind: str
    rejects: bool
    tasks: int
    share: str
    meaning: str
    examples: list[tuple[str, str]]


def page(tasks: Sequence[Task], audits: Sequence[Audit], looks: Looks, facts: Mapping[str, Any]) -> str:
    """The page; ``facts`` are those of the manifest."""
    environment = Environment(
        loader=PackageLoader("ablation.tasks.audit", "."),
        autoescape=select_autoescape(["html", "j2"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(context(tasks, audits, looks, facts))


def context(tasks: Sequence[Task], audits: Sequence[Audit], looks: Looks, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the template names."""
    seen = [[look for look in looks[task.task_id].values() if look.world != PLAINLY] for task in tasks]
    tests = [max((look.total for look in of_one), default=0) for of_one in seen]
    floors = [floor[1] / floor[2] for of_one in seen if (floor := stub_floor(of_one)) is not None]
    seconds = [median(runs) for of_one in seen if (runs := [run.seconds for look in of_one for run in look.reference])]
    rows = _rows(audits)
    counts = {row.kind: row.tasks for row in rows}
    repeats, worlds = facts["audit"]["repeats"], facts["audit"]["worlds"]
    return {
        "name": facts["set"]["source"]["name"],
        "source": {key: value for key, value in facts["set"]["source"].items() if value is not None},
        "facts": facts,
        "total": len(audits),
        "accepted": sum(audit.accepted for audit in audits),
        "warned": sum(audit.accepted and bool(audit.findings) for audit in audits),
        "rows": rows,
        "one_arm": sum(count < MIN_TESTS for count in tests),
        "few_levels": sum(MIN_TESTS <= count < 4 for count in tests),
        "median_tests": median(tests) if tests else 0,
        "any_floor": sum(floor > 0 for floor in floors),
        "floors": len(floors),
        "unchecked": _unchecked(tasks, seen),
        "base_worlds": min(BASE, worlds),
        "everywhere": sum(len(of_one) > min(BASE, worlds) for of_one in seen),
        "far_runs": repeats + MORE_RUNS * max(0, worlds - BASE),
        "days": STEP_S // 86400,
        "certainty": CERTAINTY,
        "found_from": _found_from(repeats),
        "found_from_far": _found_from(repeats + MORE_RUNS * max(0, worlds - BASE)),
        "svgs": {
            "findings": figures.findings_bars(counts, REJECTING),
            "tests": figures.tests_histogram(tests, MIN_TESTS),
            "floor": figures.floor_histogram(floors),
            "time": figures.time_histogram(seconds, SLOW_S),
        },
    }


def _rows(audits: Sequence[Audit]) -> list[Row]:
    examples: dict[str, list[tuple[str, str]]] = {kind: [] for kind in (*REJECTING, *WARNING)}
    counts = Counter[str]()
    for audit in audits:
        for finding in audit.findings:
            counts[finding.kind] += 1
            if len(examples[finding.kind]) < EXAMPLES:
                examples[finding.kind].append((audit.task_id, finding.detail[:_LONGEST]))
    share = {kind: f"{counts[kind] / max(1, len(audits)):.1%}" for kind in examples}
    return [
        Row(kind, kind in REJECTING, counts[kind], share[kind], MEANING[kind], examples[kind])
        for kind in (*REJECTING, *WARNING)
    ]


def _unchecked(tasks: Sequence[Task], seen: Sequence[Sequence[Look]]) -> list[str]:
    """What the audit says nothing about, in sentences."""
    bare = sum(task.reference is None for task in tasks)
    scripts = sum(task.script is not None and not task.script.fallback for task in tasks)
    refused = sum(bool(of_one) and all(look.refused for look in of_one) for of_one in seen)
    said = {
        "have no reference: the tests that count are those that pytest collects; whether anything passes them, whether "
        "they are flaky or slow and whether the solution stands in the instruction could not be checked": bare,
        "are judged by a script of their own: order of tests, random seed, hash seed and clock are the script's, and "
        "the looks at them differ in nothing": scripts,
        "could not be scored by the verifier: their stub floor is not known": refused,
    }
    return [f"{count:,} of {len(tasks):,} tasks {words}." for words, count in said.items() if count]


def _found_from(runs: int) -> float:
    """The probability of failing in one run from which on a reference is found to be flaky with ``CERTAINTY``."""
    return 1 - (1 - CERTAINTY) ** (1 / runs)
