import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from audit_task import clamp

from ablation.audit import unique
from ablation.composing import compose_config
from ablation.config import ConfigError
from ablation.tasks import jsonl
from ablation.tasks.audit.findings import REJECTING, WARNING, Audit, Finding
from ablation.tasks.audit.looks import Look
from ablation.tasks.audit.report import about, settings, table, write
from ablation.tasks.load import load_every_task, load_tasks
from tests.conftest import ROOT, command

OUTPUT = ["audit.html", "audit.jsonl", "looks.jsonl", "manifest.json"]
SMALL = ("tasks=katas", "tasks.train=8", "tasks.validation=2", "tasks.test=2", "tasks.audit_repeats=2")


def test_an_audit_writes_its_lines_and_a_manifest_that_loads_without_a_warning(tmp_path, monkeypatch, capsys):
    ended = command("ablation.audit", *SMALL, "out=audits/one", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "12 of 12 tasks accepted, 0 rejected." in ended.stdout
    assert "Auditing: 100%" in ended.stderr
    folder = tmp_path / "audits" / "one"
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == OUTPUT

    config = compose_config([*SMALL, f"tasks.manifest={folder / 'manifest.json'}"]).tasks
    splits = load_every_task(config)
    lines = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    assert [line["task_id"] for line in lines] == [task.task_id for task in splits.tasks]
    assert all(set(line) == {"task_id", "accepted", "findings"} and line["accepted"] for line in lines)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert list(manifest["tasks"]) == [task.task_id for task in splits.tasks]
    assert manifest["set"]["fingerprint"] == splits.fingerprint
    assert manifest["set"]["source"]["train"] == 8
    assert (manifest["audit"]["repeats"], manifest["audit"]["worlds"]) == (2, 2)
    assert manifest["audit"]["tier"]
    assert set(manifest["audit"]["versions"]) == {"ablation", "python", "pytest"}

    monkeypatch.setenv("ABLATION_SAID", "")
    assert load_tasks(config).fingerprint == splits.fingerprint
    assert capsys.readouterr().err == ""


def test_an_audit_that_is_killed_goes_on_where_it_stopped(tmp_path):
    arguments = ("ablation.audit", *SMALL, "tasks.train=40", "out=audit")
    looks = tmp_path / "audit" / "looks.jsonl"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        assert wait_until(lambda: looks.exists() and looks.read_text().count("\n") >= 30, 60)
    finally:
        process.kill()
        process.wait()
    before = looks.read_text().splitlines()
    assert len(before) < 88
    assert sorted(path.name for path in looks.parent.iterdir()) == [".lock", "looks.jsonl"]
    ended = command(*arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    lines = looks.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 44 * 2
    assert set(before[:-1]) <= set(lines)
    assert "44 of 44 tasks accepted" in ended.stdout


def test_the_manifest_lists_accepted_tasks_alone_and_replaces_the_one_before(tmp_path):
    tasks = [clamp(task_id=name) for name in ("one", "two", "three")]
    looks = {task.task_id: {0: Look(0)} for task in tasks}
    flaky = Audit("two", (Finding("flaky", "3 of 10"),))
    slow = Audit("three", (Finding("slow", "takes long"),))
    for audits in ([Audit("one", ()), Audit("two", ()), Audit("three", ())], [Audit("one", ()), flaky, slow]):
        write(tmp_path, tasks, audits, looks, about({"name": "set"}, "abc", audits, settings(10, "tier")))
    assert list(json.loads((tmp_path / "manifest.json").read_text())["tasks"]) == ["one", "three"]
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert lines[1] == {
        "task_id": "two",
        "accepted": False,
        "findings": [{"kind": "flaky", "detail": "3 of 10"}],
    }
    assert lines[2]["accepted"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.html", "audit.jsonl", "manifest.json"]


def wait_until(true: Callable[[], bool], patience_s: float) -> bool:
    """Whether it became true in time."""
    until = time.monotonic() + patience_s
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


def test_a_command_without_a_folder_says_what_to_type(tmp_path):
    ended = command("ablation.audit", "tasks=katas", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: found 0 folders to write to, expected one out=DIR; "
        "type `python -m ablation.audit tasks=katas out=runs/audit`.\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    ended = command("ablation.audit", *SMALL, "out=taken", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: out=taken cannot be written (File exists); ")
    assert ended.stderr.count("\n") == 1


def test_two_tasks_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two tasks are called 'clamp', expected a task_id for each"):
        unique([clamp(), clamp()])


def test_the_table_counts_tasks_for_every_kind_and_shows_the_first():
    audits = [
        Audit("a", (Finding("slow", "takes long"),)),
        Audit("b", (Finding("flaky", "3 of 10"), Finding("slow", "takes longer"))),
    ]
    lines = table(audits).splitlines()
    rows = {line.split()[0]: line.split(maxsplit=3)[1:] for line in lines[1:-1]}
    assert set(rows) == {*REJECTING, *WARNING}
    assert rows["slow"] == ["warns", "2", "a: takes long"]
    assert rows["flaky"] == ["rejects", "1", "b: 3 of 10"]
    assert rows["duplicate"] == ["rejects", "0", "-"]
    assert lines[-1] == "1 of 2 tasks accepted, 1 rejected."


def test_what_cannot_be_read_is_listed_the_rest_audited_however_small_and_strict_refuses(tmp_path):
    good = [jsonl.to_line(clamp(task_id=f"t{n}", timeout_s=2.0 + n)) for n in range(2)]
    (tmp_path / "set.jsonl").write_text("".join([good[0], '{"task_id": "x"}\n', "{\n", good[1]]))
    typed = ("ablation.audit", "tasks=jsonl", "tasks.path=set.jsonl", "tasks.audit_repeats=2", "out=audit")
    ended = command(*typed, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "left out: set.jsonl line 2: prompt is missing" in ended.stderr
    assert "left out: set.jsonl line 3: it is no JSON" in ended.stderr
    manifest = json.loads((tmp_path / "audit" / "manifest.json").read_text())
    assert list(manifest["left_out"]) == ["set.jsonl line 2", "set.jsonl line 3"]
    assert list(manifest["tasks"]) == ["t0"]
    ended = command(*typed, "strict=true", cwd=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "set.jsonl line 2: prompt is missing" in ended.stderr


def test_a_set_without_a_task_is_an_error_to_the_strict_alone(tmp_path):
    (tmp_path / "set.jsonl").write_text("[]\n")
    typed = ("ablation.audit", "tasks=jsonl", "tasks.path=set.jsonl", "out=audit")
    ended = command(*typed, cwd=tmp_path)
    assert ended.returncode == 0
    assert "left out: set.jsonl line 1: it is list in JSON, expected an object" in ended.stderr
    assert command(*typed, "strict=true", cwd=tmp_path).returncode == 2
