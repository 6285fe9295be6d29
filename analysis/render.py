"""Findings as one HTML page and as Markdown: what the templates name, escaped and shortened for people."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from analysis.cells import (
    Table,
    by_task_cells,
    chains_table,
    cost_cells,
    curves_cells,
    differing_table,
    health_cells,
    held_out_cells,
    levels_cells,
    over_seeds_cells,
    picks_cells,
    reasons_cells,
    robust_cells,
    rules_cells,
)
from analysis.compare import Comparison, answer
from analysis.coverage import LEAST
from analysis.findings import Findings
from analysis.picks import rule_text
from analysis.plots import curve_names
from analysis.reproduce import commands, rebuilt, versions
from analysis.setting import setting
from analysis.sources.rollouts import Rollout

_LONGEST = 1200  # characters of a prompt or completion that are shown


class Pages(NamedTuple):
    """The report as one self-contained HTML document, and as Markdown that shows the figures from ``figures/``."""

    html: str
    markdown: str  # without rollouts


def pages(findings: Findings, svgs: Mapping[str, str], sources: Sequence[str], options: Sequence[str] = ()) -> Pages:
    """Both forms of the report; ``svgs`` are {figure's name: what stands inside the HTML}."""
    templates, shown = _templates(), context(findings, svgs, sources, options)
    text = templates.get_template("report.md.j2").render(shown)
    markdown = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return Pages(templates.get_template("report.html.j2").render(shown), markdown)


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis", "."),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": _in_markdown, "cell": _in_a_cell}
    return environment


def _in_markdown(text: str) -> str:
    """Text that Markdown shows as it is, but for the code between backticks."""
    parts = " ".join(text.split()).split("`")
    return "`".join(re.sub(r"([\\*\[\]<>#|])", r"\\\1", part) if at % 2 == 0 else part for at, part in enumerate(parts))


def _in_a_cell(text: str) -> str:
    return _in_markdown(text.replace("`", "'"))


def context(
    findings: Findings, svgs: Mapping[str, str], sources: Sequence[str], options: Sequence[str] = ()
) -> dict[str, Any]:
    """What the templates name."""
    f = findings
    tiers = ", ".join(sorted({chain.tier for chain in f.study.chains}))
    return {
        "f": f,
        "svgs": svgs,
        "title": _title(f.study.arms),
        "lead": _lead(f, tiers),
        "many": _many(f),
        "setting": setting(f.study.chains),
        "coverage": _coverage(f),
        "warnings": (*f.differences.warnings, *(() if f.foreign else f.asked.warnings)),
        "rule": rule_text(f.study.chains, f.picks.rule),
        "curves": curve_names(f.study.arms),
        "of_curves": curves_cells(f),
        "levels": levels_cells(f),
        "of_health": health_cells(f),
        "chains": chains_table(f),
        "differing": differing_table(f),
        "cost": cost_cells(f),
        "picks": picks_cells(f),
        "rules": rules_cells(f),
        "test": held_out_cells(f, "test"),
        "validation": held_out_cells(f, "validation"),
        "over_seeds": over_seeds_cells(f),
        "robust": robust_cells(f),
        "by_task": by_task_cells(f),
        "last_words": answer(f.comparisons, "last"),
        "reasons": reasons_cells(f),
        "rollouts": [_readable(rollout) for rollout in f.rollouts],
        "commands": commands(f.study, sources, options),
        "rebuilt": rebuilt(f.study),
        "versions": Table(("package", "version"), tuple(versions(f.study)), 2),
        "tiers": tiers,
    }


def _title(arms: Sequence[str]) -> str:
    return " against ".join(arms) if len(arms) <= 4 else f"{len(arms)} arms"


def _lead(f: Findings, tiers: str) -> str:
    arms, chains = len(f.study.arms), len(f.study.chains)
    size = f"{arms} arm{'s' if arms != 1 else ''}, {chains} chain{'s' if chains != 1 else ''}"
    return f"{size} known from W&B." if f.foreign else f"{size} trained by GRPO. Candidates ran under: {tiers}."


def _compared(f: Findings) -> tuple[Comparison, ...]:
    return (*f.comparisons, *f.curves.comparisons, *f.health)


def _coverage(f: Findings) -> str:
    """How far intervals keep their word; empty where there is none."""
    if all(c.obstacle for c in _compared(f)):
        return ""
    return (
        f"Every interval claims 95 % and is of a kind that was measured to cover at least {100 * LEAST:.0f} % at its "
        "size, on clustered, bounded and skewed data; where one seed in eight collapses, or with a stronger skew, it "
        "was measured at about 90 %."
    )


def _many(f: Findings) -> str:
    """How many intervals there are beside those that a reader looks at, for they are not corrected for that."""
    shown = [c for c in _compared(f) if not c.obstacle]
    if not shown:
        return ""
    apart = sum(c.difference.excludes_zero for c in shown)
    return (
        f"This report has {len(shown)} intervals of differences between arms (`comparison.csv`), of which {apart} "
        "leave 0 out; without any difference one in twenty would. Holm's correction is for the pairs of arms of one "
        "score, not for the number of scores, so choose the score that decides before you look."
    )


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
