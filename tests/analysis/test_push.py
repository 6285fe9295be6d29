import os
import subprocess
import sys
from pathlib import Path

import model_hub
import pytest

from analysis import publish
from analysis.errors import AnalysisError
from analysis.publishing.push import push

pytestmark = pytest.mark.xdist_group("publish")  # one worker: the fixtures are made once
REPO = "lab/shaped"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client does not wait between its tries."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def local(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def remote(hub: model_hub.Server, repo: str = REPO) -> dict[str, bytes]:
    return {name: blob.content for name, blob in hub.repos[repo].files.items() if name != ".gitattributes"}


def command(hub: model_hub.Server, tmp_path: Path, *arguments: object, **more: str) -> "subprocess.Popen[str]":
    """The command in its own process, as a person starts it."""
    environment = os.environ | hub.environment() | {"HF_HOME": str(tmp_path / "hf")} | more
    return subprocess.Popen(
        [sys.executable, "-m", "analysis.publish", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def never_visible_in_half(hub: model_hub.Server, whole: set[str]) -> bool:
    return all(names - {".gitattributes"} == whole for _, names in hub.shown)


def test_the_command_ends_with_a_public_repo_of_the_same_bytes(hub, study: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    running = command(hub, tmp_path, study, "--arm", "shaped", "--out", out, "--repo", REPO, "--push")
    printed, errors = running.communicate(timeout=120)
    assert (running.returncode, errors) == (0, "")
    assert remote(hub) == local(out)
    assert not hub.repos[REPO].private
    assert never_visible_in_half(hub, set(local(out)))
    assert len(hub.repos[REPO].commits) == 2  # the Hub's first, and all of ours at once
    assert f"{hub.url}/{REPO} holds what the folder holds, and is public." in printed
    assert model_hub.TOKEN not in printed
    assert not any(model_hub.TOKEN.encode() in content for content in local(out).values())


def test_weights_of_several_parts_arrive_whole(hub, folder: Path) -> None:
    hub.part_size = 30_000
    push(folder, REPO, model_hub.TOKEN)
    assert remote(hub) == local(folder)
    assert "POST /verify" in hub.calls


def test_a_connection_that_breaks_once_is_taken_up_again(hub, folder: Path, hurried) -> None:
    hub.faults = [model_hub.Fault("PUT /objects/", model_hub.DROP, times=1)]
    push(folder, REPO, model_hub.TOKEN)
    assert remote(hub) == local(folder)


@pytest.mark.parametrize("status", [model_hub.DROP, 503, 403])
def test_a_failure_while_uploading_leaves_nothing_to_see_and_the_same_command_goes_on(
    status: int, hub, study: Path, folder: Path, hurried, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(study), "--arm", "shaped", "--out", str(folder), "--repo", REPO, "--push"]
    hub.faults = [model_hub.Fault("PUT /objects/", status, after=2)]
    assert publish.main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("analysis.publish: The ")
    assert hub.repos[REPO].private
    assert len(hub.repos[REPO].commits) == 1
    there, hub.faults = set(hub.objects), []
    assert len(there) == 2
    hub.calls.clear()
    assert publish.main(arguments) == 0
    assert there.isdisjoint(hub.uploads())
    assert remote(hub) == local(folder)
    assert not hub.repos[REPO].private
    assert never_visible_in_half(hub, set(local(folder)))


def test_a_kill_while_uploading_is_no_other_than_a_failure(hub, study: Path, folder: Path, tmp_path: Path) -> None:
    arguments = (study, "--arm", "shaped", "--out", folder, "--repo", REPO, "--push")

    def kill(call: str) -> None:
        if call.startswith("PUT /objects/") and hub.objects:
            running.kill()

    hub.before_answer = kill
    running = command(hub, tmp_path, *arguments)
    running.communicate(timeout=120)
    assert running.returncode == -9
    assert hub.repos[REPO].private
    assert len(hub.repos[REPO].commits) == 1
    there, hub.before_answer = set(hub.objects), lambda call: None
    hub.calls.clear()
    again = command(hub, tmp_path, *arguments)
    assert again.wait(timeout=120) == 0, again.stderr.read()
    assert there
    assert there.isdisjoint(hub.uploads())
    assert remote(hub) == local(folder)
    assert not hub.repos[REPO].private


@pytest.mark.parametrize("call", ["POST /lab/shaped.git", "POST .*/commit/", "GET .*/tree/", "PUT .*/settings"])
def test_wherever_it_fails_the_same_command_completes_it(call: str, hub, folder: Path, hurried) -> None:
    hub.faults = [model_hub.Fault(call, 500, times=6)]
    with pytest.raises(AnalysisError, match="The Hub failed"):
        push(folder, REPO, model_hub.TOKEN)
    assert hub.repos[REPO].private
    hub.faults = []
    push(folder, REPO, model_hub.TOKEN)
    assert remote(hub) == local(folder)
    assert not hub.repos[REPO].private
    assert never_visible_in_half(hub, set(local(folder)))
    assert len(hub.repos[REPO].commits) == 2


def test_a_repo_that_was_never_made_public_is_not_uploaded_again(hub, folder: Path) -> None:
    push(folder, REPO, model_hub.TOKEN)
    hub.repos[REPO].private = True  # as after a kill between the commit and the change of the settings
    hub.calls.clear()
    said = push(folder, REPO, model_hub.TOKEN)
    assert said.endswith("holds what the folder holds already, and is public now.")
    assert not any(call.startswith("PUT /objects") or "/commit/" in call for call in hub.calls)
    assert not hub.repos[REPO].private


def test_what_is_complete_is_left_alone(hub, folder: Path) -> None:
    push(folder, REPO, model_hub.TOKEN)
    hub.calls.clear()
    said = push(folder, REPO, model_hub.TOKEN)
    assert said == f"Nothing was uploaded: {hub.url}/{REPO} holds what the folder holds already, and is public."
    assert {call.split()[0] for call in hub.calls} == {"GET"}


def test_a_public_repo_changes_from_one_whole_state_to_the_next(hub, folder: Path) -> None:
    push(folder, REPO, model_hub.TOKEN)
    with (folder / "README.md").open("a") as file:
        file.write("\nMore.\n")
    assert push(folder, REPO, model_hub.TOKEN).startswith("Pushed 1 file:")
    assert remote(hub) == local(folder)
    assert never_visible_in_half(hub, set(local(folder)))


def test_a_file_edited_during_the_upload_keeps_the_repo_private(hub, folder: Path) -> None:
    def edit(call: str) -> None:
        if "/commit/" in call:
            (folder / "README.md").write_text("other")

    hub.before_answer = edit
    with pytest.raises(AnalysisError, match=r"differs from the folder after the upload \(README.md\)"):
        push(folder, REPO, model_hub.TOKEN)
    assert hub.repos[REPO].private


def test_another_commit_meanwhile_stops_it(hub, folder: Path) -> None:
    def intrude(call: str) -> None:
        if "/commit/" in call:
            hub.repos[REPO].commits.append(dict(hub.repos[REPO].files))

    hub.before_answer = intrude
    with pytest.raises(AnalysisError, match=r"Somebody else changed lab/shaped meanwhile \(412"):
        push(folder, REPO, model_hub.TOKEN)
    assert hub.repos[REPO].private
