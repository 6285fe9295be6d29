"""A study writes down which task is in which split, and a later link says what changed since."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from audit_task import clamp

from ablation.config import ConfigError
from ablation.tasks.load import TaskSplits
from ablation.tasks.manifest import task_hash
from ablation.tasks.membership import differences, write_membership
from ablation.tasks.prompt_lengths import Asked
from ablation.training.chain import ChainRecord, LinkRecord, refuse_other_data

TASKS = [clamp(task_id=f"t{n}", tests=f"# {n}") for n in range(6)]
ASKED = Asked("plain", None, 1)
SPLITS = TaskSplits(TASKS[:3], TASKS[3:4], TASKS[4:])


def test_a_study_says_of_each_task_in_which_split_it_is(tmp_path):
    write_membership(tmp_path, SPLITS)
    (path,) = tmp_path.iterdir()
    assert path.name == f"splits-{SPLITS.fingerprint}.json"
    assert json.loads(path.read_text()) == {
        "train": {task.task_id: task_hash(task) for task in TASKS[:3]},
        "validation": {"t3": task_hash(TASKS[3])},
        "test": {task.task_id: task_hash(task) for task in TASKS[4:]},
    }


def test_what_is_there_stays_and_other_tasks_have_a_file_of_their_own(tmp_path):
    write_membership(tmp_path, SPLITS)
    (path,) = tmp_path.iterdir()
    path.write_text("as it was")
    write_membership(tmp_path, SPLITS)
    assert path.read_text() == "as it was"
    write_membership(tmp_path, replace(SPLITS, train=TASKS[:2]))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_later_link_with_other_tasks_is_refused_and_told_what_changed(tmp_path):
    write_membership(tmp_path, SPLITS)
    now = TaskSplits([TASKS[0], replace(TASKS[1], timeout_s=9.0), TASKS[4]], [TASKS[3]], [clamp(task_id="later")])
    record = ChainRecord("study", "arm", 0, "id", "hash", 5, tasks_fingerprint=SPLITS.fingerprint)
    record.links = [LinkRecord(0, "", 1, "", {}, {})]
    refuse_other_data(tmp_path / "arm-s0", record, "", SPLITS, ASKED)
    with pytest.raises(ConfigError) as refusal:
        refuse_other_data(tmp_path / "arm-s0", record, "", now, ASKED)
    assert "(1 with other content, 1 from test to train, 1 new, 2 gone)" in str(refusal.value)
    assert f"was trained with the tasks {SPLITS.fingerprint}, but now would be with {now.fingerprint}" in str(
        refusal.value
    )


@pytest.mark.parametrize("content", [None, "{", "[]", '{"train": []}'])
def test_a_file_that_is_gone_or_damaged_hides_nothing_else(tmp_path: Path, content):
    if content is not None:
        (tmp_path / f"splits-{SPLITS.fingerprint}.json").write_text(content)
    assert differences(tmp_path, SPLITS.fingerprint, SPLITS) == ""


def test_only_another_order_is_said_too(tmp_path):
    write_membership(tmp_path, SPLITS)
    assert differences(tmp_path, SPLITS.fingerprint, replace(SPLITS, train=TASKS[2::-1])) == "another order"
