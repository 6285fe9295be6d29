from dataclasses import replace
from pathlib import Path

import pytest

from ablation.config import TasksConfig
from ablation.tasks.audited import Audited
from ablation.tasks.load import load_every_task, load_tasks
from ablation.tasks.manifest import manifest_content

KATAS = TasksConfig(name="katas", train=8, validation=3, test=3)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(manifest_content(load_every_task(KATAS).tasks, {}))
    return path


def audit(manifest: Path | None) -> Audited:
    return load_tasks(replace(KATAS, manifest=manifest and str(manifest))).audit


def test_a_set_without_a_manifest_was_never_audited():
    assert audit(None) == Audited("none", tasks=14)


def test_what_was_audited_is_known_by_a_fingerprint_wherever_the_manifest_lies(manifest):
    first = audit(manifest)
    assert (first.state, first.tasks, first.left_out, first.changed) == ("ok", 14, 0, 0)
    assert audit(manifest.rename(manifest.with_name("moved.json"))) == first


def test_left_out_and_changed_tasks_are_counted(manifest):
    every = load_every_task(KATAS).tasks
    whole = audit(manifest)
    then = [replace(task, timeout_s=9.0) if n < 5 else task for n, task in enumerate(every)]
    manifest.write_text(manifest_content(then, {}))
    assert audit(manifest).fingerprint not in ("", whole.fingerprint)
    manifest.write_text(manifest_content(then[:-1], {}))
    now = audit(manifest)
    assert (now.state, now.tasks, now.left_out, now.changed) == ("changed", 14, 1, 5)
