"""Which task is in which split, written down with a study: ``splits-<fingerprint>.json``, ``{split: {task_id: hash}}``.

Chains of one study that have the same tasks share the file; their ``chain.json`` names the fingerprint.
"""

import json
import os
from collections import Counter
from pathlib import Path

from ablation.tasks.load import SPLITS, TaskSplits
from ablation.tasks.manifest import task_hash

Membership = dict[str, dict[str, str]]


def membership(splits: TaskSplits) -> Membership:
    """What the file says of ``splits``."""
    return {split: {task.task_id: task_hash(task) for task in getattr(splits, split)} for split in SPLITS}


def splits_file(study: Path, fingerprint: str) -> Path:
    """Where a study keeps it."""
    return study / f"splits-{fingerprint}.json"


def write_membership(study: Path, splits: TaskSplits) -> None:
    """Writes the file of ``splits`` unless it is there; chains that start together may do so at once."""
    path = splits_file(study, splits.fingerprint)
    if not path.exists():
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(membership(splits), indent=0) + "\n", encoding="utf-8")
        partial.replace(path)


def differences(study: Path, fingerprint: str, splits: TaskSplits) -> str:
    """How ``splits`` differ from those that a study wrote down, in words; empty where it did not or cannot be read."""
    try:
        before: Membership = json.loads(splits_file(study, fingerprint).read_text(encoding="utf-8"))
        places = {task_id: (split, digest) for split, tasks in before.items() for task_id, digest in tasks.items()}
    except (OSError, ValueError, AttributeError):
        return ""
    found: Counter[str] = Counter()
    for split, tasks in membership(splits).items():
        for task_id, digest in tasks.items():
            was, then = places.pop(task_id, ("", ""))
            if not was:
                found["new"] += 1
            elif was != split:
                found[f"from {was} to {split}"] += 1
            elif then != digest:
                found["with other content"] += 1
    found["gone"] = len(places)
    return ", ".join(f"{count} {what}" for what, count in found.items() if count) or "another order"
