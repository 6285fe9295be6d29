"""The outcome of an audit: ``audit.jsonl``, ``audit.html``, ``manifest.json`` and a table."""

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ablation
from ablation.tasks.audit.audit import Looks
from ablation.tasks.audit.findings import REJECTING, WARNING, Audit
from ablation.tasks.audit.page import page
from ablation.tasks.audit.store import replace
from ablation.tasks.audit.worlds import worlds
from ablation.tasks.manifest import manifest_content
from ablation.tasks.task import Task


def settings(repeats: int, tier: str) -> dict[str, Any]:
    """How a set is audited: an audit with other settings begins anew. ``tier`` is what candidates run in."""
    versions = {"ablation": ablation.__version__, "python": platform.python_version(), "pytest": version("pytest")}
    return {"repeats": repeats, "worlds": len(worlds(repeats)), "tier": tier, "versions": versions}


def about(
    source: dict[str, Any],
    fingerprint: str,
    audits: Sequence[Audit],
    settings: dict[str, Any],
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """What the manifest says of the set and of how it was audited.

    ``source`` is the configuration that the set was made from, ``fingerprint`` that of all its tasks, whether
    accepted or not, ``left_out`` says {where: why} of what could not be read.
    """
    accepted = sum(audit.accepted for audit in audits)
    return {
        "set": {"source": source, "fingerprint": fingerprint, "tasks": len(audits), "accepted": accepted},
        "left_out": dict(left_out),
        "audit": settings,
    }


def write(folder: Path, tasks: Sequence[Task], audits: Sequence[Audit], looks: Looks, facts: dict[str, Any]) -> None:
    """Writes ``audit.jsonl``, ``audit.html`` and, last, ``manifest.json``; each is complete or as it was before."""
    replace(folder / "audit.jsonl", "".join(json.dumps(audit.to_line()) + "\n" for audit in audits))
    replace(folder / "audit.html", page(tasks, audits, looks, facts))
    accepted = [task for task, audit in zip(tasks, audits, strict=True) if audit.accepted]
    replace(folder / "manifest.json", manifest_content(accepted, facts))


def table(audits: Sequence[Audit]) -> str:
    """How many tasks have each kind of finding, with one of them, and how many are accepted."""
    counts = Counter(kind for audit in audits for kind in {finding.kind for finding in audit.findings})
    example = {
        finding.kind: f"{audit.task_id}: {finding.detail}" for audit in reversed(audits) for finding in audit.findings
    }
    lines = [f"{'finding':<20} {'effect':<8} {'tasks':>6}  the first"]
    for kind in (*REJECTING, *WARNING):
        effect = "rejects" if kind in REJECTING else "warns"
        lines.append(f"{kind:<20} {effect:<8} {counts[kind]:>6,}  {example.get(kind, '-')[:100]}")
    accepted = sum(audit.accepted for audit in audits)
    lines.append(f"{accepted:,} of {len(audits):,} tasks accepted, {len(audits) - accepted:,} rejected.")
    return "\n".join(lines)
