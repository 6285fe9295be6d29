"""From a name to a loader, and what is said of a set on the way."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from audit_task import clamp

from ablation.composing import CONF_DIR, compose_config
from ablation.config import ConfigError, TasksConfig
from ablation.tasks import jsonl
from ablation.tasks.load import load_every_task, load_tasks
from tests.conftest import command

NAMES = sorted(path.stem for path in Path(CONF_DIR, "tasks").glob("*.yaml"))


def written(path: Path, count: int, *more: str) -> Path:
    """Tasks that are no near-duplicates of each other, then lines that are none."""
    prompts = (" ".join(f"word{n}x{place}" for place in range(80)) for n in range(count))
    lines = [jsonl.to_line(clamp(task_id=f"t{n}", prompt=f"{said}\n")) for n, said in enumerate(prompts)]
    path.write_text("".join([*lines, *(f"{line}\n" for line in more)]))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_every_set_composes_with_all_of_its_keys_and_has_a_loader(name, tmp_path):
    typed = [f"tasks.{field.name}=null" for field in fields(TasksConfig) if field.default is None]
    config = compose_config([f"tasks={name}", "tasks.strict=true", "tasks.seed=1", *typed]).tasks
    if name == "katas":
        assert load_every_task(config).train
    else:
        with pytest.raises(ConfigError, match=r"tasks\.path is null, expected .* type tasks\.path="):
            load_every_task(config)


def test_pymethods2test_is_parquet_on_the_hub():
    config = compose_config(["tasks=pymethods2test"]).tasks
    assert (config.name, config.path) == ("harbor_parquet", "hf://datasets/DCAgent/exp_rpt_pymethods2test-large")


def test_good_tasks_are_kept_and_the_first_fault_is_said_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ABLATION_SAID", "")
    path = written(tmp_path / "set.jsonl", 120, json.dumps({"task_id": "odd"}), "[]")
    for _ in range(2):
        splits = load_every_task(TasksConfig("jsonl", 1000, 1000, 1000, path=str(path)))
    assert len(splits.tasks) == 120
    assert capsys.readouterr().err == (
        f"warning: 2 of 122 tasks in tasks.path={path} are left out; the first, {path} line 121: prompt is missing, "
        "found task_id.\n"
    )


def test_tasks_beyond_the_sizes_are_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ABLATION_SAID", "")
    path = written(tmp_path / "set.jsonl", 120)
    splits = load_every_task(TasksConfig("jsonl", 20, 1000, 5, path=str(path)))
    unused = 120 - len(splits.tasks)
    assert unused > 50
    assert capsys.readouterr().err == (
        f"warning: {unused} of 120 tasks in tasks.path={path} are not used: "
        "tasks.train=20, tasks.test=5 are all taken.\n"
    )


def test_strict_ends_a_command_with_exit_code_2_and_the_first_fault(tmp_path):
    written(tmp_path / "set.jsonl", 2, "[]")
    typed = ("ablation.audit", "tasks=jsonl", "tasks.path=set.jsonl", "tasks.strict=true", "out=audit")
    ended = command(*typed, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: set.jsonl line 3: it is list in JSON, expected an object; tasks.strict=false leaves it out.\n"
    )


def test_an_empty_split_says_how_large_the_largest_cluster_is(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text("".join(jsonl.to_line(clamp(task_id=f"t{n}", timeout_s=n + 1)) for n in range(50)))
    with pytest.raises(ConfigError, match=r"none of the tasks .*near-duplicates stay together, 50 at most"):
        load_tasks(TasksConfig("jsonl", 50, 10, 10, path=str(path)))


def test_the_command_to_audit_a_set_names_its_place(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ABLATION_SAID", "")
    path = written(tmp_path / "set.jsonl", 60)
    load_tasks(TasksConfig("jsonl", 1000, 1000, 1000, path=str(path)))
    assert f"`python -m ablation.audit tasks=jsonl tasks.path='{path}' out=DIR`" in capsys.readouterr().err
