import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pytest

from ablation.composing import compose_config
from ablation.config import Config
from ablation.provenance import Code, code_state, origin, package_versions, provenance, same_code, tasks_origin
from ablation.training.chain import chain_dir, open_record, read_record, write_record
from ablation.training.links import begin_link


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit of a package of this project's name."""
    root = tmp_path / "checkout"
    (root / "ablation").mkdir(parents=True)
    (root / "ablation" / "__init__.py").write_text("one = 1\n")
    (root / ".gitignore").write_text("runs/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "first")
    return root


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = compose_config([f"runs_dir={tmp_path / 'runs'}", "reward=shaped"])
    made.arm = "shaped"
    return made


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    assert code_state(checkout) == Code(git(checkout, "rev-parse", "HEAD"), False, None)


def test_a_changed_line_makes_it_dirty_with_the_hash_of_the_diff(checkout: Path) -> None:
    (checkout / "ablation" / "__init__.py").write_text("one = 2\n")
    found = code_state(checkout)
    diff = subprocess.run(
        ["git", "-C", str(checkout), "diff", "HEAD", "--binary"], check=True, capture_output=True
    ).stdout
    assert (found.dirty, found.diff_sha256) == (True, hashlib.sha256(diff).hexdigest())


def test_an_untracked_file_counts_with_its_content(checkout: Path) -> None:
    hashes = []
    for content in ("a", "b"):
        (checkout / "ablation" / "new.py").write_text(content)
        found = code_state(checkout)
        assert found.dirty
        hashes.append(found.diff_sha256)
    assert hashes[0] != hashes[1]


def test_an_ignored_file_does_not_count(checkout: Path) -> None:
    (checkout / "runs").mkdir()
    (checkout / "runs" / "new.txt").write_text("a")
    assert code_state(checkout).dirty is False


def test_a_package_that_a_repository_does_not_track_has_no_commit(checkout: Path) -> None:
    installed = checkout / "runs" / "site-packages"
    shutil.copytree(checkout / "ablation", installed / "ablation")
    assert code_state(installed) == Code()


def test_commits_are_of_the_same_code_where_only_other_files_differ(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    for name, same in (("README.md", True), ("ablation/new.py", False)):
        (checkout / name).write_text("new\n")
        git(checkout, "add", ".")
        git(checkout, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", name)
        assert same_code([first], checkout) is same
    assert not same_code(["0" * 40], checkout)
    assert not same_code([f"--output={checkout / 'written'}"], checkout)
    assert not (checkout / "written").exists()


def test_a_git_hook_of_another_repository_does_not_mislead(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert code_state(checkout).commit is not None


def test_versions_are_those_that_are_installed() -> None:
    found = package_versions()
    assert found["trl"] == version("trl")
    assert "ablation-harness" in found


@pytest.mark.parametrize("visible", ["", "-1"])
def test_hidden_gpus_are_not_recorded(visible: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert provenance().gpus == ()


def test_gpus_are_those_that_the_driver_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's program stands in where there is no GPU; it is asked for the visible ones only."""
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\nfor last in "$@"; do :; done\necho "NVIDIA H200"; echo "asked for $last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    assert provenance().gpus == ("NVIDIA H200", "asked for 0,2")


def test_origins_go_by_folder_before_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    found = [origin(path) for path in (None, "models/mine", "/models/mine", "Qwen/Qwen3-0.6B")]
    assert found == ["made here", "local folder", "local folder", "hub"]
    sets = [tasks_origin(path) for path in (None, "sets/*.parquet", "/sets", "hf://datasets/org/name@v1")]
    assert sets == ["made here", "local folder", "local folder", "hub"]


def test_a_link_records_where_it_came_from(config: Config) -> None:
    record = open_record(config)
    begin_link(config, record)
    folder = chain_dir(config)
    folder.mkdir(parents=True)
    write_record(folder, record)
    stored = json.loads((folder / "chain.json").read_text())
    expected = json.loads(json.dumps(asdict(provenance())))
    assert stored["links"][0]["provenance"] == expected
    assert stored["reward_text"] == "The fraction of expected tests that pass."
    assert stored["origins"] == {"base": "made here", "tasks": "made here"}


def test_records_of_before_are_still_read(config: Config) -> None:
    record = open_record(config)
    begin_link(config, record)
    folder = chain_dir(config)
    folder.mkdir(parents=True)
    write_record(folder, record)
    stored = json.loads((folder / "chain.json").read_text())
    del stored["reward_text"], stored["origins"], stored["links"][0]["provenance"]
    (folder / "chain.json").write_text(json.dumps(stored))
    assert read_record(folder).links[0].provenance == {}
