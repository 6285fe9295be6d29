import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from audit_task import clamp

from ablation.composing import compose_config
from ablation.config import ConfigError, TasksConfig
from ablation.tasks.load import load_every_task, load_tasks
from ablation.tasks.manifest import Manifest, gate, manifest_content, task_hash
from ablation.tasks.task import Task

KATAS = TasksConfig(name="katas", train=8, validation=3, test=3)


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATION_SAID", "")


def manifest_of(tasks: list[Task], folder: Path) -> str:
    path = folder / "manifest.json"
    path.write_text(manifest_content(tasks, {}))
    return str(path)


def test_the_bundled_manifest_accepts_every_kata_of_the_defaults_as_it_is(capsys):
    config = compose_config([]).tasks
    assert config.manifest == "bundled:katas"
    assert load_tasks(config).fingerprint == load_every_task(config).fingerprint
    assert capsys.readouterr().err == ""


def test_only_accepted_tasks_are_loaded_and_the_others_are_counted(tmp_path, capsys):
    every = load_every_task(KATAS)
    accepted = [task for task in every.tasks if task.task_id not in ("kata-train-0002", "kata-test-0000")]
    config = replace(KATAS, manifest=manifest_of(accepted, tmp_path))
    loaded = load_tasks(config)
    assert loaded.tasks == accepted
    assert len(loaded.train) == 7
    err = capsys.readouterr().err
    assert err.startswith("warning: 2 of 14 tasks are left out")
    assert "changed" not in err
    assert loaded.fingerprint != every.fingerprint


def test_tasks_that_changed_since_are_kept_and_counted_in_one_warning(tmp_path, capsys):
    every = load_every_task(KATAS).tasks
    then = [replace(task, timeout_s=9.0) if n < 5 else task for n, task in enumerate(every)]
    config = replace(KATAS, manifest=manifest_of(then, tmp_path))
    assert load_tasks(config).tasks == every
    err = capsys.readouterr().err
    assert err.startswith("warning: 5 of 14 tasks changed since the audit")
    assert err.count("\n") == 1


def test_a_set_that_was_never_audited_warns_once_and_is_whole(capsys):
    for _ in range(3):
        assert load_tasks(KATAS).tasks == load_every_task(KATAS).tasks
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "python -m ablation.audit tasks=katas out=DIR" in err


def test_a_manifest_that_leaves_a_split_empty_is_refused(tmp_path):
    train = load_every_task(KATAS).train
    config = replace(KATAS, manifest=manifest_of(train, tmp_path))
    with pytest.raises(ConfigError, match="accepts none of the 3 tasks of the validation split"):
        load_tasks(config)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"tasks": {}}', "KeyError: 'format'"),
        ('{"format": 2, "tasks": {}}', "format 2, expected 1"),
        ('{"format": 1, "tasks": {"a": 3}}', "a hash is no string"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, content, words):
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as refusal:
        load_tasks(replace(KATAS, manifest=str(path)))
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "python -m ablation.audit" in str(refusal.value)


def test_an_unknown_bundled_manifest_is_answered_with_the_one_that_was_meant():
    with pytest.raises(ConfigError, match=r"did you mean tasks\.manifest=bundled:katas\?"):
        load_tasks(replace(KATAS, manifest="bundled:kata"))


def test_where_the_manifest_lies_is_execution_and_no_part_of_an_arm():
    base, other = compose_config([]), compose_config(["tasks.manifest=elsewhere.json", "tasks.audit_repeats=3"])
    assert base.scientific_hash == other.scientific_hash
    assert {"manifest": "elsewhere.json", "audit_repeats": 3}.items() <= other.execution()["tasks"].items()


@pytest.mark.parametrize("field", ["prompt", "tests", "reference", "entry_point", "task_id", "module"])
def test_a_change_of_any_field_changes_the_hash(field):
    assert task_hash(replace(clamp(), **{field: "other"})) != task_hash(clamp())


def test_a_field_that_is_added_with_a_default_changes_no_hash():
    @dataclass(frozen=True)
    class Later(Task):
        work_folder: str | None = None

    now = clamp()
    assert task_hash(Later(**vars(now))) == task_hash(now)
    assert task_hash(Later(**vars(now), work_folder="/app")) != task_hash(now)


def test_tasks_are_known_by_name_and_content():
    one, two, three = (clamp(task_id=name) for name in ("one", "two", "three"))
    gated = gate([one, two, three], Manifest({"one": task_hash(one), "three": task_hash(two)}))
    assert (gated.tasks, gated.changed, gated.left_out) == ([one, three], 1, 1)


def test_a_manifest_lists_exactly_the_accepted_tasks_in_order():
    tasks = [clamp(task_id="b"), clamp(task_id="a")]
    content = json.loads(manifest_content(tasks, {"audit": {"repeats": 3}}))
    assert list(content["tasks"].items()) == [(task.task_id, task_hash(task)) for task in tasks]
    assert content["audit"] == {"repeats": 3}
