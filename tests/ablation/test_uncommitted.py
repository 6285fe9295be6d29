import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from ablation import provenance, uncommitted
from ablation.composing import compose_config
from ablation.training.chain import chain_dir, open_record, write_record
from ablation.training.links import begin_link
from ablation.uncommitted import changes_of, keep_changes
from tests.ablation.test_provenance import checkout, git  # noqa: F401  # a fixture


def kept(root: Path, folder: Path) -> Path:
    changes = changes_of(root)
    assert changes is not None
    path = keep_changes(folder, root, changes)
    assert path is not None
    return path


def change(root: Path) -> None:
    (root / "ablation" / "__init__.py").write_text("one = 2")
    (root / "ablation" / "new name.py").write_text("two = 2\n")
    (root / "gone.txt").unlink()


@pytest.fixture
def repository(checkout: Path) -> Path:  # noqa: F811
    (checkout / "gone.txt").write_text("a\n")
    git(checkout, "add", ".")
    git(checkout, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "second")
    return checkout


def test_the_kept_file_makes_the_same_work_tree_of_the_commit(repository: Path, tmp_path: Path) -> None:
    change(repository)
    path = kept(repository, tmp_path / "chain")
    again = tmp_path / "again"
    subprocess.run(["git", "clone", "-q", str(repository), str(again)], check=True)
    git(again, "apply", str(path))
    files = {file.relative_to(repository) for file in repository.rglob("*") if ".git" not in file.parts}
    assert files == {file.relative_to(again) for file in again.rglob("*") if ".git" not in file.parts}
    for file in (file for file in files if (repository / file).is_file()):
        assert (again / file).read_bytes() == (repository / file).read_bytes()
    found, there = changes_of(repository), changes_of(again)
    assert found is not None
    assert path.name == f"{found.sha256}.diff"
    assert found == there


def test_settings_of_a_person_do_not_change_it(repository: Path, tmp_path: Path) -> None:
    change(repository)
    plain = kept(repository, tmp_path / "plain")
    for key, value in (("diff.noprefix", "true"), ("color.diff", "always"), ("diff.external", "false")):
        git(repository, "config", key, value)
    assert kept(repository, tmp_path / "set").read_bytes() == plain.read_bytes()


def test_what_is_ignored_large_binary_or_secret_by_name_is_not_kept(repository: Path, tmp_path: Path) -> None:
    (repository / "runs").mkdir()
    contents = {"runs/ignored.txt": "IGNORED", "large.txt": "LARGE" * 20_000, "a.bin": "BIN\0ARY", ".env": "KEY=SECRET"}
    for name, content in contents.items():
        (repository / name).write_text(content)
    text = kept(repository, tmp_path).read_text()
    assert [name for name in contents if name in text] == ["large.txt", "a.bin", ".env"]
    assert not any(word in text for word in ("IGNORED", "LARGE", "BIN\0", "SECRET"))
    assert "# Left out: untracked files that are no text, above 65536 bytes, too many, or secret by name:" in text


def test_too_many_changes_are_named_and_not_kept(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(repository)
    monkeypatch.setattr(uncommitted, "LARGEST", 100)
    text = kept(repository, tmp_path).read_text()
    assert "bytes where 100 are kept, in:\n#   ablation/__init__.py\n#   gone.txt\n" in text
    assert "#   ablation/new name.py\n" in text
    assert "one = 2" not in text


def test_each_difference_is_kept_once(repository: Path, tmp_path: Path) -> None:
    change(repository)
    first = kept(repository, tmp_path)
    before = first.stat().st_mtime_ns
    assert kept(repository, tmp_path) == first
    assert first.stat().st_mtime_ns == before
    (repository / "other.py").write_text("3\n")
    assert kept(repository, tmp_path) != first
    assert len(list((tmp_path / "provenance").iterdir())) == 2


def test_a_clean_work_tree_leaves_no_file(repository: Path, tmp_path: Path) -> None:
    changes = changes_of(repository)
    assert changes is not None
    assert keep_changes(tmp_path, repository, changes) is None
    assert not (tmp_path / "provenance").exists()


def test_a_link_keeps_the_changes_that_its_record_names(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(repository)
    monkeypatch.setattr(provenance, "ROOT", repository)
    config = compose_config([f"runs_dir={tmp_path / 'runs'}", "reward=shaped"])
    config.arm = "shaped"
    record, folder = open_record(config), chain_dir(config)
    folder.mkdir(parents=True)
    begin_link(config, record, folder)
    write_record(folder, record)
    code = json.loads((folder / "chain.json").read_text())["links"][0]["provenance"]["code"]
    assert code["commit"] == git(repository, "rev-parse", "HEAD")
    assert b"one = 2" in (folder / "provenance" / f"{code['diff_sha256']}.diff").read_bytes()
    assert len(code["diff_sha256"]) == len(hashlib.sha256().hexdigest())
