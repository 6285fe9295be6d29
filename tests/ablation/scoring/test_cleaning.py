"""Folders that resist are removed all the same, and nothing that they only point to."""

import os
from pathlib import Path

from ablation.scoring.cleaning import empty, remove

DEEPER_THAN_A_PATH = 3000


def nest(folder, depth):
    back = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(depth):
            Path("deep").mkdir()
            os.chdir("deep")
            Path("file").touch()
    finally:
        os.fchdir(back)
        os.close(back)


def test_a_folder_nested_deeper_than_any_path_is_removed(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    nest(victim, DEEPER_THAN_A_PATH)
    remove(victim)
    assert list(tmp_path.iterdir()) == []


def test_closed_folders_are_opened_and_wide_ones_emptied(tmp_path):
    for number in range(200):
        (tmp_path / "wide" / str(number) / "in").mkdir(parents=True)
        (tmp_path / "wide" / str(number) / "in" / "file").write_text("x")
        (tmp_path / "wide" / str(number)).chmod(0)
    (tmp_path / "wide").chmod(0)
    empty(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_links_are_not_followed(tmp_path):
    kept, victim = tmp_path / "kept", tmp_path / "victim"
    kept.mkdir()
    (kept / "file").write_text("x")
    victim.mkdir()
    (victim / "folder").symlink_to(kept)
    (victim / "file").symlink_to(kept / "file")
    (tmp_path / "link").symlink_to(kept)
    remove(victim)
    remove(tmp_path / "link")
    remove(tmp_path / "absent")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (kept / "file").read_text() == "x"
