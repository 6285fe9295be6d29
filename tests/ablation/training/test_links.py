"""The records of links: how they end, and when no other follows by itself."""

import json
import os
import time
from datetime import datetime

import pytest

from ablation import metrics
from ablation.training.chain import ChainRecord, read_record
from ablation.training.links import AUTOMATIC, DEAD, begin_link, bury_dead_link, end_link, hopeless
from tests.ablation.test_config import compose


@pytest.fixture
def chain(tmp_path):
    """A function that lets one more link begin and end: its status, the step that it reached, the newest state."""
    config = compose("reward=binary", "study=linked", "tracking=off")
    record = ChainRecord("linked", "binary", 0, "id", "hash", 80)

    def link(status, reached=None, saved=0, cause="ValueError: x"):
        number = begin_link(config, record).link
        with (tmp_path / "history.jsonl").open("a") as file:
            for step in range(saved + 1, (reached or 0) + 1):
                file.write(json.dumps({metrics.STEP: step, metrics.LINK: number}) + "\n")
        if saved:
            (tmp_path / "resume" / f"checkpoint-{saved}").mkdir(parents=True, exist_ok=True)
        if status == "dead":
            bury_dead_link(tmp_path, record)
        else:
            end_link(tmp_path, record, status, cause)
        written = read_record(tmp_path)
        assert (written.status, written.given_up) == (record.status, record.given_up)
        return record

    return link


def test_an_ended_link_says_how_far_it_came(chain):
    record = chain("stopped", reached=13, saved=10, cause="the job ends in 4 s")
    link = record.links[0]
    assert (link.status, link.cause, link.first_step, link.last_step, link.saved_step) == (
        "stopped", "the job ends in 4 s", 11, 13, 10,
    )  # fmt: skip


def test_a_chain_that_fails_twice_at_one_step_is_given_up_in_its_record(chain, monkeypatch):
    chain("failed", reached=13, saved=10)
    monkeypatch.setenv(AUTOMATIC, "1")
    record = chain("failed", reached=13, saved=10)
    assert record.given_up == (
        "links 0 and 1 both failed after step 13, with nothing saved after step 10: ValueError: x"
    )


def test_a_link_found_dead_ended_when_it_wrote_last(chain, tmp_path):
    history = tmp_path / "history.jsonl"
    history.touch()
    wrote_s = time.time() + 3600
    record_of = chain("stopped", reached=2, saved=2)
    os.utime(history, (wrote_s, wrote_s))
    link = begin_link(compose("reward=binary", "study=linked", "tracking=off"), record_of)
    bury_dead_link(tmp_path, record_of)
    assert (link.status, link.cause) == ("failed", DEAD)
    assert datetime.fromisoformat(link.end or "").timestamp() == pytest.approx(wrote_s, abs=1)


def test_links_that_die_with_their_supervisors_count_too_even_before_the_first_step(chain, monkeypatch):
    chain("dead")
    monkeypatch.setenv(AUTOMATIC, "1")
    record = chain("dead")
    assert record.given_up == f"links 0 and 1 both failed after step 0, with nothing saved after step 0: {DEAD}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("failed", 13, 10), ("failed", 14, 10)),  # it came further
        (("failed", 13, 10), ("failed", 23, 20)),
        (("stopped", 13, 13), ("failed", None, 13)),
        (("failed", None, 10), ("stopped", None, 10)),
    ],
)
def test_progress_and_a_stop_keep_the_hope_up(chain, monkeypatch, before, after):
    chain(*before)
    monkeypatch.setenv(AUTOMATIC, "1")
    assert chain(*after).given_up == ""


def test_a_persons_command_starts_anew(chain, monkeypatch):
    chain("failed", reached=3)
    monkeypatch.setenv(AUTOMATIC, "1")
    assert chain("failed", reached=3).given_up
    monkeypatch.delenv(AUTOMATIC)
    record = chain("failed", reached=3)
    assert (record.given_up, hopeless(record)) == ("", None)
    monkeypatch.setenv(AUTOMATIC, "1")
    assert chain("failed", reached=3).given_up
