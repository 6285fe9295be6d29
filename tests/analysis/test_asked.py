from pathlib import Path
from typing import Any

import pytest
import study_folder as folder

from analysis import report
from analysis.asked import asked
from analysis.differences import differences
from analysis.sources.study import Chain

NEVER = {"state": "none", "tasks": 550, "left_out": 0, "changed": 0, "fingerprint": ""}
OK = {"state": "ok", "tasks": 550, "left_out": 0, "changed": 0, "fingerprint": "aaaaaaaaaaaa"}
CHANGED = {"state": "changed", "tasks": 550, "left_out": 50, "changed": 7, "fingerprint": "aaaaaaaaaaaa"}
DROPPED = {"train": 2, "validation": 0, "test": 1}
CHAT = {"style": "chat", "limit": 216, "longest": 300, "dropped": DROPPED, "fingerprint": "bbbbbbbbbbbb"}


def chain(audit: dict[str, Any], prompts: dict[str, Any], arm: str = "binary") -> Chain:
    config = {"tasks": {"name": "harbor"}}
    return Chain("s", arm, 0, arm, "complete", 80, "none", config=config, audit=audit, prompts=prompts)


@pytest.mark.parametrize(
    ("audit", "fact", "warning"),
    [
        ({}, "Whether the tasks were audited was not recorded.", None),
        (OK, "All 550 tasks are as their audit accepted them.", None),
        (OK | {"left_out": 4}, "4 of 550 tasks were left out, which their audit does not accept.", None),
        (NEVER, None, "The 550 tasks were never audited, so some may never score, or always: type "),
        (CHANGED, None, "7 of 500 tasks changed since their audit, which says nothing of them as they are now. 50 of"),
    ],
)
def test_the_state_of_the_audit_is_a_fact_or_a_warning(audit, fact, warning):
    said = asked([chain(audit, {})])
    assert list(said.facts) == [*([fact] if fact else []), "How tasks are asked was not recorded."]
    assert len(said.warnings) == (warning is not None)
    assert all(words.startswith(str(warning)) for words in said.warnings)


def test_a_set_that_was_never_audited_comes_with_what_to_type():
    assert "`python -m ablation.audit tasks=harbor out=DIR`" in asked([chain(NEVER, {})]).warnings[0]


def test_dropped_prompts_are_counted_by_split():
    said = asked([chain(OK, CHAT)])
    assert said.facts[-1] == "Tasks are asked in the messages of a chat."
    assert said.warnings == (
        "3 tasks were dropped (2 of train, 1 of test), because their prompts have more than 216 tokens: "
        "scores are those of the shorter ones.",
    )


def test_a_sentence_names_its_chains_where_others_do_not_have_it():
    said = asked([chain(OK, CHAT), chain(NEVER, CHAT, "shaped")])
    assert said.facts[0].startswith("binary-s0: All 550")
    assert said.warnings[0].startswith("3 tasks were dropped")
    assert said.warnings[1].startswith("shaped-s0: The 550")


def test_chains_that_were_asked_otherwise_are_told_apart():
    other = CHAT | {"fingerprint": "cccccccccccc"}
    [warning] = differences([chain(OK, CHAT), chain(OK, other, "shaped")]).warnings
    assert warning.startswith("Chains differ in their prompts: bbbbbbbbbbbb in binary; cccccccccccc in shaped.")
    assert differences([chain(OK, CHAT), chain(OK, {}, "shaped")]).warnings == ()  # which did not record it


def test_the_report_warns_of_tasks_that_were_not_audited_and_of_dropped_ones(tmp_path: Path):
    study = tmp_path / "demo"
    folder.write_chain(study, "binary", 0, folder.curve("binary", 0, 80), record={"audit": NEVER, "prompts": CHAT})
    assert report.main([str(study)]) == 0
    html = (study / "report" / "report.html").read_text()
    boxes = html.split('<div class="box warn">')[1:]
    assert any("were never audited" in box.split("</div>")[0] for box in boxes)
    assert any("3 tasks were dropped" in box.split("</div>")[0] for box in boxes)
    assert "Tasks are asked in the messages of a chat." in html


def test_a_record_without_these_fields_is_read_and_said_to_lack_them(tmp_path: Path):
    study = tmp_path / "demo"
    odd = {"audit": None, "prompts": "plain"}
    for seed, record in enumerate((None, odd)):
        folder.write_chain(study, "binary", seed, folder.curve("binary", seed, 80), record=record)
    assert report.main([str(study)]) == 0
    html = (study / "report" / "report.html").read_text()
    assert "Whether the tasks were audited was not recorded. How tasks are asked was not recorded." in html
