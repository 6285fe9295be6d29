import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from audit_task import clamp

from ablation.tasks.audit import report
from ablation.tasks.audit.audit import Looks
from ablation.tasks.audit.findings import REJECTING, WARNING, Audit, Finding
from ablation.tasks.audit.looks import PLAINLY, Look, ReferenceRun
from ablation.tasks.audit.page import context, page
from ablation.tasks.task import Script

FLAKY = Finding("flaky", "3 of 10 runs <solve> & fail")
SETTINGS = report.settings(10, "some tier")


def look(tests: int, best: int, seconds: float, world: int = 0) -> Look:
    names = tuple(f"test_{n}" for n in range(tests))
    return Look(world, names, (ReferenceRun(0, True, "scored", (), seconds),), {"returning 0": [0, best]})


def made(count: int = 4) -> tuple[list, list[Audit], Looks, dict]:
    tasks = [clamp(task_id=f"task-{n}") for n in range(count)]
    audits = [Audit(task.task_id, (FLAKY,) if n == 1 else ()) for n, task in enumerate(tasks)]
    looks: Looks = {task.task_id: {0: look(n, n // 2, 0.01 * (n + 1))} for n, task in enumerate(tasks)}
    return tasks, audits, looks, report.about({"name": "some<set>", "path": None}, "abc", audits, SETTINGS)


class Tags(HTMLParser):
    """Checks that tags are closed in order, and keeps what is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)
        self.fetched += [
            value for name, value in attrs if name in ("src", "href") and not (value or "").startswith("#")
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_fetches_nothing_and_escapes_what_tasks_say():
    text = page(*made())
    tags = Tags()
    tags.feed(text)
    assert (tags.open, tags.fetched) == ([], [])
    assert text.count("<svg") == 4
    assert len(set(re.findall(r'\bid="([^"]+)"', text))) == len(re.findall(r'\bid="([^"]+)"', text))
    assert "3 of 10 runs &lt;solve&gt; &amp; fail" in text
    assert "Audit of some&lt;set&gt;" in text
    assert "50.0%</b><span>of tasks have fewer than two tests" in text
    assert all(f"<code>{kind}</code>" in text for kind in (*REJECTING, *WARNING))


def test_equal_audits_give_equal_pages():
    assert page(*made()) == page(*made())


def test_the_page_says_for_what_share_of_tasks_the_arms_are_one():
    found = context(*made())  # of 0, 1, 2 and 3 tests
    assert (found["one_arm"], found["few_levels"], found["total"]) == (2, 2, 4)


def test_a_floor_is_the_best_run_of_the_best_stub():
    found = context(*made())
    assert (found["floors"], found["any_floor"]) == (3, 2)


def test_what_cannot_be_checked_is_said_with_its_count():
    tasks, audits, looks, facts = made()
    tasks[0] = replace(tasks[0], reference=None)
    tasks[1] = replace(tasks[1], reference=None)
    tasks[2] = replace(tasks[2], script=Script("/app", (), 512))
    looks["task-3"] = {0: Look(0, refused="cannot"), PLAINLY: look(1, 0, 0.1, PLAINLY)}
    said = context(tasks, audits, looks, facts)["unchecked"]
    assert [sentence.partition(" tasks ")[0] for sentence in said] == ["2 of 4", "1 of 4", "1 of 4"]
    assert said[0].startswith("2 of 4 tasks have no reference: the tests that count are those that pytest collects")
    text = page(tasks, audits, looks, facts).replace("&#39;", "'")
    assert all(sentence in text for sentence in said)


@pytest.mark.parametrize(("runs", "least"), [(10, 0.26), (24, 0.12)])
def test_how_surely_flaky_references_are_found_follows_from_the_number_of_runs(runs, least):
    found = context(*made())
    assert found["found_from" if runs == 10 else "found_from_far"] == pytest.approx(least, abs=0.005)
    assert found["far_runs"] == 24


def test_an_empty_set_of_findings_has_a_page_too():
    tasks, _, looks, facts = made(1)
    looks["task-0"] = {0: Look(0)}
    assert "no finding" in page(tasks, [Audit("task-0", ())], looks, facts)
