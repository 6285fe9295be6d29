import json
import struct
from pathlib import Path

import pytest

from analysis.publishing.paths import Replacement, clean
from analysis.publishing.scan import scan

HEX40 = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("token: hf_" + "aB3" * 12, "a Hugging Face token"),
        ("ghp_" + "a1" * 18, "a GitHub token"),
        ("github_pat_" + "a1_" * 20, "a GitHub token"),
        ("id AKIA" + "IOSFODNN7EXAMPLE", "an AWS key id"),
        (f"WANDB_API_KEY={HEX40}", "a W&B key"),
        (f'"wandb": "{HEX40}"', "a W&B key"),
        (f"  password {HEX40}", "a W&B key"),
        ("-----BEGIN " + "OPENSSH PRIVATE KEY-----", "a private key"),
        ("sk-" + "a1b2c3d4" * 4, "an API key"),
        ("https://alice:" + "geheim@example.org/x", "a password in an address"),
        ("api_key='" + "abcdefgh12'", "a credential"),
        ('"aws_secret_access_key": "' + "wJalrXUtnFEMI" + '"', "a credential"),
        ("HF_TOKEN=" + "abcdefgh", "a credential"),
        ("saved in /home/alice/runs", "a local path"),
        ("file:///Users/alice/x", "a local path"),
        ("('/tmp/x.log')", "a local path"),
        ("/root/.netrc", "a local path"),
        ("C:\\Users\\alice", "a local path"),
        ("/p/project/alice/code/x.py", "a local path"),
    ],
)
def test_what_was_planted_is_found_with_file_and_line(line: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.txt").write_text(f"first\n{line}\n")
    found = scan(tmp_path, [Path("/p/project/alice")])
    assert (kind, "logs/a.txt", 2) in [(f.kind, f.file, f.line) for f in found]


@pytest.mark.parametrize(
    "line",
    [
        '"eos_token": "<|endoftext|>", "pad_token": "<|pad|>"',
        f'"commit": "{HEX40}"',
        "https://example.org/home/alice",
        "runs/demo/tmp/x and a/home/b",
        "train/num_tokens,219413.0",
        "max_tokens=40000000 tokenizer=something_long",
        "the task-description-of-a-long-name-here",
        "token: none",
        "'api_key' is no key of the config",
        "/p/project/alice2/x",
    ],
)
def test_what_is_no_secret_is_let_through(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(line)
    assert scan(tmp_path, [Path("/p/project/alice")]) == []


def test_a_secret_is_not_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hf_" + "aB3" * 12)
    [found] = scan(tmp_path)
    assert str(found) == "a.txt line 1: a Hugging Face token (hf_aB3…)"


def test_binary_files_are_searched_too(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff\xfe" + b"/home/alice/x" + b"\x00\xff")
    assert [found.file for found in scan(tmp_path)] == ["a.png"]


def test_the_header_of_weights_is_searched(tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"from": "/home/alice/x"}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert [found.kind for found in scan(tmp_path)] == ["a local path"]


def test_paths_become_their_replacement_at_whole_names_only(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('"/x/runs/demo/a", "/x/runs/demo2/a", "/y/x/runs/demo", "in /x/runs/demo."')
    said = clean(tmp_path, [Replacement("/x/runs/demo", "runs/demo", "the study's folder")])
    assert (tmp_path / "a.json").read_text() == '"runs/demo/a", "/x/runs/demo2/a", "/y/x/runs/demo", "in runs/demo."'
    assert said == ["a.json: the study's folder is written as runs/demo (2 times)."]


def test_a_vocabulary_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('"/x/runs/demo"')
    assert clean(tmp_path, [Replacement("/x/runs/demo", "runs/demo", "the study's folder")]) == []
