"""Findings as one HTML page: what the template names, escaped and shortened for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from analysis.cells import (
    Table,
    by_task_cells,
    chains_table,
    differing_table,
    held_out_cells,
    over_seeds_cells,
    picks_cells,
    rules_cells,
)
from analysis.compare import sentence
from analysis.findings import Findings
from analysis.plots import curve_names
from analysis.reproduce import commands, rebuilt, versions
from analysis.sources.rollouts import Rollout

_LONGEST = 1200  # characters of a prompt or completion that are shown


def page(findings: Findings, svgs: Mapping[str, str], sources: Sequence[str]) -> str:
    """The whole report as one self-contained HTML document."""
    environment = Environment(
        loader=PackageLoader("analysis", "."),
        autoescape=select_autoescape(["html", "j2"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(context(findings, svgs, sources))


def context(findings: Findings, svgs: Mapping[str, str], sources: Sequence[str]) -> dict[str, Any]:
    """What the template names."""
    f = findings
    return {
        "f": f,
        "svgs": svgs,
        "curves": curve_names(f.study.arms),
        "chains": chains_table(f),
        "differing": differing_table(f),
        "picks": picks_cells(f),
        "rules": rules_cells(f),
        "test": held_out_cells(f, "test"),
        "validation": held_out_cells(f, "validation"),
        "over_seeds": over_seeds_cells(f),
        "by_task": by_task_cells(f),
        "last_words": [sentence(c) for c in f.comparisons if c.checkpoint == "last"],
        "rollouts": [_readable(rollout) for rollout in f.rollouts],
        "commands": commands(f.study, sources),
        "rebuilt": rebuilt(f.study),
        "versions": Table(("package", "version"), tuple(versions(f.study)), 2),
        "tiers": ", ".join(sorted({chain.tier for chain in f.study.chains})),
    }


def _readable(rollout: Rollout) -> dict[str, str]:
    solved = "not scored" if rollout.solved is None else "solved" if rollout.solved else "not solved"
    count = f", {rollout.passed} of {rollout.total} tests passed" if rollout.passed is not None else ""
    earned = f" · earned reward {rollout.reward:.3f}" if rollout.reward is not None else ""
    return {
        "title": f"{rollout.arm}, seed {rollout.seed}, step {rollout.step}: {solved}",
        "verdict": f"{rollout.status}{count}{earned} · task {rollout.task_id}",
        "tests": _tests(rollout.tests),
        "prompt": _text(rollout.prompt),
        "completion": _text(rollout.completion),
    }


def _tests(text: str) -> str:
    try:
        return " · ".join(f"{test} {outcome}" for test, outcome in json.loads(text).items())
    except (ValueError, AttributeError):
        return ""


def _text(text: str) -> str:
    """Shown as it is but for control characters, and cut with a count when long."""
    shown = "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST])
    return shown + (f"\n… {len(text) - _LONGEST} more characters" if len(text) > _LONGEST else "")
