"""What the audit of a task set says of the tasks that were loaded, as ``chain.json`` records it."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from ablation.tasks.manifest import Gated, Manifest


@dataclass(frozen=True)
class Audited:
    state: str = "none"  # none: never audited | ok | changed: some tasks are not what was audited
    tasks: int = 0  # of the set, left out or not
    left_out: int = 0  # not accepted, or unknown to the audit
    changed: int = 0  # of those that are kept
    fingerprint: str = ""  # twelve hex digits of the accepted tasks and their content; empty without a manifest


def audited(manifest: Manifest, gated: Collection[Gated]) -> Audited:
    """The record of a set whose splits ``manifest`` let through as ``gated`` says."""
    left_out, changed = sum(kept.left_out for kept in gated), sum(kept.changed for kept in gated)
    digest = hashlib.sha256(json.dumps(dict(manifest.tasks), sort_keys=True).encode()).hexdigest()
    total = left_out + sum(len(kept.tasks) for kept in gated)
    return Audited("changed" if changed else "ok", total, left_out, changed, digest[:12])
