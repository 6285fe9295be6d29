"""What lies in a folder is counted, and a candidate that writes too much ends there."""

from dataclasses import replace

import pytest
from double_task import DOUBLE
from test_cleaning import nest

from ablation.scoring.cleaning import remove
from ablation.scoring.containment.choose import choose
from ablation.scoring.room import Room


def test_bytes_and_entries_are_counted_and_holes_are_not(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(bytes(3 << 20))
    (tmp_path / "link").symlink_to("/")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(1 << 30)
    assert not Room(tmp_path, 4, 4).is_exceeded()
    assert Room(tmp_path, 2, 4).is_exceeded()
    assert Room(tmp_path, 4, 3).is_exceeded()
    assert not Room(tmp_path / "gone", 0, 0).is_exceeded()


def test_what_lies_deeper_than_a_path_is_long_is_too_much(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    nest(victim, 900)
    assert Room(victim, 1 << 20, 1 << 20).is_exceeded()
    remove(victim)


@pytest.mark.skipif(not choose().tier.landlock, reason="candidates have no files here")
def test_a_candidate_that_writes_too_much_earns_nothing(score):
    write = "\nfor n in range({}):\n    Path(str(n)).write_bytes(bytes(15 << 20))\ntime.sleep(0.6)\n"
    task, solved = replace(DOUBLE, timeout_s=20.0), "    return x + x\n\nimport time\nfrom pathlib import Path\n"
    verdict = score(solved + write.format(20), task)
    assert (verdict.status, verdict.passed) == ("violation", 0)
    assert verdict.detail == "the candidate wrote more than 256 MiB or 10,000 files"
    assert score(solved + write.format(4), task).solved
