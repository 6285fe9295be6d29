import json
from dataclasses import replace
from pathlib import Path

import pytest
from audit_task import clamp

from ablation.config import ConfigError
from ablation.tasks.audit.looks import Look, ReferenceRun
from ablation.tasks.audit.store import NAME, opened
from ablation.tasks.task import Task

SETTINGS = {"repeats": 10}
LOOK = Look(
    1, ("test_a",), (ReferenceRun(3, False, "scored", ("test_a failed",), 0.25, "why"),), {"stub": [0, 1]}, "no"
)
TASKS = [clamp(task_id="one"), clamp(task_id="two")]


def kept(folder: Path, tasks: list[Task] = TASKS, settings: dict = SETTINGS) -> dict[str, list[int]]:
    """The worlds of each task's looks that an audit would find."""
    with opened(folder, tasks, settings) as store:
        return {task_id: list(looks) for task_id, looks in store.looks.items()}


def filled(folder: Path) -> Path:
    with opened(folder, TASKS, SETTINGS) as store:
        for task in TASKS:
            for world in range(2):
                store.add(task, replace(LOOK, world=world))
    return folder


def test_a_look_comes_back_as_it_was(tmp_path):
    with opened(tmp_path / "new" / "folder", TASKS, SETTINGS) as store:
        store.add(TASKS[0], LOOK)
    with opened(tmp_path / "new" / "folder", TASKS, SETTINGS) as store:
        assert store.looks == {"one": {1: LOOK}}


def test_a_look_is_on_disk_as_soon_as_it_is_added(tmp_path):
    with opened(tmp_path, TASKS, SETTINGS) as store:
        for count, task in enumerate(TASKS, 1):
            store.add(task, LOOK)
            assert (tmp_path / NAME).read_text().count("\n") == count


def test_a_line_that_a_kill_has_cut_is_looked_at_again_and_harms_no_later_one(tmp_path):
    path = filled(tmp_path) / NAME
    whole = path.read_text()
    for end in range(whole.rindex("\n", 0, -1) + 1, len(whole) + 1, 17):
        path.write_text(whole[:end])
        found = kept(tmp_path)
        assert found["one"] == [0, 1]
        assert found["two"] in ([0], [0, 1])
        with opened(tmp_path, TASKS, SETTINGS) as store:
            store.add(TASKS[1], replace(LOOK, world=7))
        assert 7 in kept(tmp_path)["two"]
        assert all(json.loads(line) for line in path.read_text().splitlines())


@pytest.mark.parametrize("change", [{"prompt": "other"}, {"tests": "other"}, {"reference": None}])
def test_a_task_that_changed_begins_anew_and_the_others_do_not(tmp_path, change):
    filled(tmp_path)
    assert kept(tmp_path, [replace(TASKS[0], **change), TASKS[1]]) == {"two": [0, 1]}


def test_other_settings_begin_anew(tmp_path):
    filled(tmp_path)
    assert kept(tmp_path, settings={"repeats": 11}) == {}


def test_a_task_that_joins_the_set_leaves_the_others_looks(tmp_path):
    filled(tmp_path)
    assert set(kept(tmp_path, [*TASKS, clamp(task_id="three")])) == {"one", "two"}


def test_a_second_audit_on_one_folder_is_refused(tmp_path):
    with (
        opened(tmp_path, TASKS, SETTINGS),
        pytest.raises(ConfigError, match="another audit is writing to out="),
        opened(tmp_path, TASKS, SETTINGS),
    ):
        pass
    assert kept(tmp_path) == {}


@pytest.mark.parametrize("out", ["/proc/out", "/dev/null", "/dev/null/out"])
def test_an_out_that_cannot_be_written_is_refused_in_one_sentence(out):
    with pytest.raises(ConfigError, match=rf"out={out} cannot be written \(.+\); ") as refusal:
        kept(Path(out))
    assert "\n" not in str(refusal.value)
