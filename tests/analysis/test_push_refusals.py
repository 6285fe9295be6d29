import json
import shutil
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import model_hub
import pytest
from test_push import REPO, command, local

from analysis import publish
from analysis.errors import AnalysisError
from analysis.publishing import push as pushing
from analysis.publishing.hub import UnreachableError
from analysis.publishing.push import push

pytestmark = pytest.mark.xdist_group("publish")  # one worker: the fixtures are made once
SECRET = "hf_" + "zYx1" * 9


@pytest.fixture
def unready(tmp_path: Path) -> Path:
    """No study, which shows that something is looked at before anything is built."""
    return tmp_path / "no-study"


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert publish.main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert model_hub.TOKEN not in error
    return error


@pytest.mark.parametrize(
    "name",
    ["shaped", "lab/", "/shaped", "a/b/c", "lab/sha ped", "lab/x--y", "lab/x..y", "lab/x.git", "lab/-x", "é/x", ""],
)
def test_what_is_no_name_of_a_repo_is_refused_before_anything_else(name: str, hub, unready, capsys) -> None:
    error = refusal(capsys, unready, "--arm", "shaped", "--repo", name, "--push")
    assert f"--repo {name!r} " in error
    assert "type --repo OWNER/" in error
    assert hub.calls == []


def test_a_push_needs_a_repo(unready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "type --repo OWNER/NAME --push" in refusal(capsys, unready, "--arm", "shaped", "--push")


def test_a_push_needs_a_token(hub, unready: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    error = refusal(capsys, unready, "--arm", "shaped", "--repo", REPO, "--push")
    assert "found none: type `hf auth login`, or set HF_TOKEN=" in error
    assert hub.calls == []


def test_the_token_of_a_login_is_found(hub, study: Path, folder: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "token").write_text(model_hub.TOKEN)
    assert publish.main([str(study), "--arm", "shaped", "--out", str(folder), "--repo", REPO, "--push"]) == 0
    assert not hub.repos[REPO].private
    assert model_hub.TOKEN not in "".join(capsys.readouterr())


def test_a_repo_alone_says_what_would_be_done(hub, study: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    arguments = [str(study), "--arm", "shaped", "--out", str(tmp_path / "new"), "--repo", REPO]
    for _ in range(2):
        assert publish.main(arguments) == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert f"{len(local(tmp_path / 'new'))} files" in last
        assert "would go to lab/shaped, private until all are there and then public" in last
        assert last.endswith(f"--out {tmp_path / 'new'} --repo lab/shaped --push`.")
    assert hub.calls == []


def plant_in_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length]) | {"__metadata__": {"by": SECRET}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def plant(name: str, line: str, folder: Path) -> int:
    path = folder / name
    lines = path.read_text().rstrip("\n").split("\n")
    path.write_text("\n".join([*lines, line]) + "\n")
    return len(lines) + 1


@pytest.mark.parametrize(
    ("name", "line", "kind"),
    [
        ("README.md", f"My token is {SECRET}.", "a Hugging Face token"),
        ("training_logs/history.csv", f"a,{SECRET},b", "a Hugging Face token"),
        ("training_logs/chain.json", '{"log": "/home/alice/runs/x.log"}', "a local path"),
        ("training_logs/report.html", "<p>password=correcthorse</p>", "a credential"),
    ],
)
def test_what_must_not_leave_stops_the_push_before_any_call(
    name: str, line: str, kind: str, hub, study: Path, folder: Path, capsys
) -> None:
    number = plant(name, line, folder)
    error = refusal(capsys, study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")
    assert f"{name} line {number}: {kind}" in error
    assert f"take them out of {folder}" in error
    assert SECRET not in error
    assert hub.calls == []


def test_a_secret_in_the_header_of_weights_is_found_before_any_call(hub, study: Path, folder: Path) -> None:
    plant_in_weights(folder)
    with pytest.raises(AnalysisError, match=r"model\.safetensors line 1: a Hugging Face token"):
        pushing.checked(folder, study)
    assert hub.calls == []


def test_a_damaged_card_stops_it_before_any_call(hub, study: Path, folder: Path, capsys) -> None:
    text = (folder / "README.md").read_text()
    (folder / "README.md").write_text(text.replace("tags:", "tags: [", 1))
    error = refusal(capsys, study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")
    assert "README.md cannot be read" in error
    assert hub.calls == []


def test_the_hubs_own_word_on_the_card_is_passed_on(hub, study: Path, folder: Path, capsys) -> None:
    hub.card_errors = ['"license" must be one of those known']
    error = refusal(capsys, study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")
    assert '"license" must be one of those known' in error
    assert hub.uploads() == []


def spoil_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def rename_arm(folder: Path) -> None:
    path = folder / "training_logs" / "published.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"arm": "binary"}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_weights, "another model.safetensors"),
        (rename_arm, "arm binary instead of shaped"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
        (lambda folder: (folder / "README.md").unlink(), "no README.md"),
        (lambda folder: shutil.rmtree(folder / "training_logs"), "is no model repo of an earlier command"),
    ],
)
def test_a_folder_that_is_not_this_arms_is_not_pushed(spoil, words: str, hub, study: Path, folder, capsys) -> None:
    spoil(folder)
    assert words in refusal(capsys, study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")
    assert hub.calls == []


@pytest.mark.parametrize("files", [{"data__py": b"x"}, {"model__safetensors": b"x", "config__json": b"{}"}])
@pytest.mark.parametrize("private", [True, False])
def test_a_repo_with_another_content_is_left_as_it_is(files, private: bool, hub, folder: Path) -> None:
    repo = hub.made(REPO, private, **files)
    with pytest.raises(AnalysisError, match=r"holds files of something else \((data.py|model.safetensors)\)"):
        push(folder, REPO, model_hub.TOKEN)
    assert (len(repo.commits), repo.private) == (1, private)
    assert hub.uploads() == []


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        ("", 401, "does not accept the token (401, not now): type `hf auth login`"),
        ("POST /api/repos/create", 403, "The token may not write to lab/shaped (403, not now): make one with"),
        ("POST .*/preupload/", 403, "The token may not write to lab/shaped (403, not now)"),
        ("POST /api/repos/create", 409, "exists where this token cannot see it"),
        ("POST /api/repos/create", 429, "too many calls of this account (429, not now): wait some minutes and type"),
        ("POST .*/commit/", 503, "The Hub failed while lab/shaped was pushed (503, not now): type the same command"),
        ("POST .*/commit/", 422, "refused to take lab/shaped (422, not now)"),
        ("POST .*/commit/", model_hub.DROP, "broke while lab/shaped was pushed"),
    ],
)
def test_a_refusal_of_the_hub_is_one_sentence(
    call: str, status: int, words: str, hub, study: Path, folder: Path, capsys
) -> None:
    hub.faults = [model_hub.Fault(call, status)]
    before = local(folder)
    error = refusal(capsys, study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")
    assert words in error
    assert local(folder) == before
    assert hub.shown == []


def test_a_refusal_of_the_store_behind_the_hub_is_one_sentence_too(hub, study: Path, folder: Path, tmp_path) -> None:
    hub.faults = [model_hub.Fault("GET .*/xet-write-token/", 403)]
    arguments = (study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")
    running = command(hub, tmp_path, *arguments, HF_HUB_DISABLE_XET="0")
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 2
    assert errors.splitlines()[-1].startswith("analysis.publish: The token may not write to lab/shaped (403): make one")
    assert "Traceback" not in errors
    assert hub.repos[REPO].private


def test_an_owner_who_does_not_exist_is_told(hub, folder: Path) -> None:
    with pytest.raises(AnalysisError, match=r"The Hub finds no nobody who could own nobody/x"):
        push(folder, "nobody/x", model_hub.TOKEN)


def test_a_token_that_the_server_repeats_is_not_shown(hub, folder: Path) -> None:
    hub.faults = [model_hub.Fault("POST /api/repos/create", 403, said=f"{model_hub.TOKEN} is for reading")]
    with pytest.raises(AnalysisError) as caught:
        push(folder, REPO, model_hub.TOKEN)
    assert "… is for reading" in str(caught.value)
    assert model_hub.TOKEN not in str(caught.value)


@pytest.mark.parametrize("more", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_without_a_network_the_folder_is_ready_and_the_command_is_said(more, study: Path, tmp_path: Path) -> None:
    with model_hub.serving() as gone:
        pass
    out = tmp_path / "new"
    running = command(gone, tmp_path, study, "--arm", "shaped", "--out", out, "--repo", REPO, "--push", **more)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == publish.OFFLINE
    assert (out / "README.md").is_file()
    first, second = errors.splitlines()
    assert first.startswith("Nothing was uploaded, for ")
    assert ("HF_HUB_OFFLINE is set" in first) == bool(more)
    assert second.startswith(f"With a network {len(local(out))} files")
    assert second.endswith(f"--out {out} --repo lab/shaped --push`.")


def test_a_network_that_swallows_everything_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(pushing, "_PATIENCE_S", 0.2)
        start = time.monotonic()
        with pytest.raises(UnreachableError, match="cannot be reached"):
            push(folder, REPO, model_hub.TOKEN)
    assert time.monotonic() - start < 5


def test_the_client_is_only_imported_to_push() -> None:
    code = "import sys, analysis.publish; print('huggingface_hub.hf_api' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
