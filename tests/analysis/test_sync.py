"""`analysis.sync` with the real client against the recording server: what arrives, once, whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb_server
from wandb_client import log_runs, logs

from analysis.sources import open_source
from analysis.sources.wandb_job import read_job
from analysis.sync.__main__ import main
from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("sync")  # one worker: the fixtures are made once
KEY = "k" * 8 + "0123456789abcdef" * 2
PATIENCE = {
    f"WANDB_X_{part}_RETRY_{limit}": "1"
    for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
    for limit in ("MAX", "WAIT_MIN_SECONDS", "WAIT_MAX_SECONDS")
}


def ours(steps: range, link: int, **more: Any) -> dict[str, Any]:
    init = {"project": "p", "id": "chain", "group": "shaped", "resume": "allow", "config": {"seed": 3, "link": link}}
    rows = [{"step": s, "chain/link": link, "reward/train": s / 8 + link, "deep": {"x": s}} for s in steps]
    return {"init": init, "rows": rows, **more}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of three links: one killed at 43, one killed at 60 after it went on from 41, one to the end."""
    folder = tmp_path_factory.mktemp("logged")
    log_runs(folder, [ours(range(1, 44), 0, killed=True)])
    log_runs(folder, [ours(range(41, 61), 1, killed=True)])
    log_runs(folder, [ours(range(59, 81), 2)])
    return folder


@pytest.fixture
def chain(logged: Path, tmp_path: Path) -> Path:
    """A copy whose last sign of life is long ago."""
    return copy(logged, tmp_path / "chain")


def copy(source: Path, target: Path, links: int = 3) -> Path:
    for log in logs(source)[:links]:
        shutil.copytree(log.parent, target / "wandb" / log.parent.name, dirs_exist_ok=True)
    aged(target)
    return target


def aged(folder: Path) -> None:
    for log in logs(folder):
        os.utime(log, (1e9, 1e9))


def steps(run: wandb_server.Stored) -> list[tuple[int, int]]:
    return [(row["chain/link"], row["step"]) for row in run.between(0)]


STITCHED = [(0, s) for s in range(1, 41)] + [(1, s) for s in range(41, 59)] + [(2, s) for s in range(59, 81)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in logs(folder)}


@pytest.fixture
def run_of(server: wandb_server.Server) -> Any:
    return lambda: server.runs[wandb_server.ENTITY, "p", "chain"]


def test_links_arrive_together_in_order_and_stitched(
    server: wandb_server.Server, chain: Path, run_of: Any, capsys: pytest.CaptureFixture
) -> None:
    before = contents(chain)
    assert main([str(chain)]) == 0
    run = run_of()
    assert steps(run) == STITCHED
    assert [row["_step"] for row in run.between(0)] == list(range(80))
    assert (run.state, run.group) == ("finished", "shaped")
    assert json.loads(run.config)["link"]["value"] == 2
    assert contents(chain) == before
    said = capsys.readouterr()
    assert "uploaded 80 rows, 5 of steps done again left out" in said.out
    assert server.environment()["WANDB_API_KEY"] not in said.out + said.err

    local = {item["_timestamp"]: item for log in logs(chain) for item in read_job(log).items}
    for row in run.between(0):
        flat = {key: value for key, value in row.items() if key not in ("_step", "deep")} | {"deep.x": row["deep"]["x"]}
        assert flat == {key: value for key, value in local[row["_timestamp"]].items() if key != "_step"}
    offline, online = open_source(str(chain)), open_source("wandb:lab/p")
    assert online.history.frame.equals(offline.history.frame)

    calls = len(server.calls)
    assert main([str(chain)]) == 0
    assert len(server.calls) == calls  # what was uploaded is known without asking
    assert "was uploaded before" in capsys.readouterr().out
    for marker in chain.rglob("*.synced"):
        marker.unlink()
    assert main([str(chain)]) == 0
    assert steps(run_of()) == STITCHED


def test_a_chain_that_went_on_is_uploaded_from_where_it_was(
    server: wandb_server.Server, logged: Path, run_of: Any, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = copy(logged, tmp_path / "grows", links=2)
    assert main([str(folder)]) == 0
    assert steps(run_of()) == STITCHED[:40] + [(1, s) for s in range(41, 61)]
    copy(logged, folder)
    assert main([str(folder)]) == 0
    assert steps(run_of()) == STITCHED[:40] + [(1, s) for s in range(41, 61)] + STITCHED[58:]
    assert "uploaded 22 rows, 58 were there" in (said := capsys.readouterr().out)
    assert "2 of steps done again had been uploaded before and stay" in said
    assert open_source("wandb:lab/p").history.frame.equals(open_source(str(folder)).history.frame)


def test_a_log_that_has_grown_since_sends_its_new_rows_alone(
    server: wandb_server.Server, chain: Path, run_of: Any
) -> None:
    log = logs(chain)[2]
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    aged(chain)
    assert main([str(chain)]) == 0
    some = len(run_of().rows)
    assert 58 < some < 80
    log.write_bytes(whole)
    assert main([str(chain)]) == 0
    assert steps(run_of()) == STITCHED
    assert [row["_step"] for row in run_of().between(0)] == list(range(80))


def test_half_written_records_are_cut_in_a_copy_and_later_links_follow(
    server: wandb_server.Server, chain: Path, run_of: Any, capsys: pytest.CaptureFixture
) -> None:
    for log, cut in zip(logs(chain), (1, 30, 9), strict=True):
        log.write_bytes(log.read_bytes()[:-cut])
    aged(chain)
    before = contents(chain)
    assert main([str(chain)]) == 0
    assert steps(run_of()) == STITCHED
    assert contents(chain) == before
    assert "link 0: " in (said := capsys.readouterr().out)
    assert said.count("bytes of 1 record cut") == 3


def test_a_folder_of_other_trainers_runs_keeps_the_steps_that_they_gave_to_wandb(
    server: wandb_server.Server, tmp_path: Path
) -> None:
    init = {"project": "verl", "id": "v", "resume": "allow"}

    def rows(steps: range) -> list[dict[str, Any]]:
        return [{"training/global_step": s, "critic/rewards/mean": s / 4} for s in steps]

    log_runs(tmp_path, [{"init": init, "rows": rows(range(1, 8)), "by_step": True}])
    log_runs(tmp_path, [{"init": init, "rows": rows(range(6, 11)), "by_step": True}])
    assert main([str(tmp_path)]) == 0
    run = server.runs[wandb_server.ENTITY, "verl", "v"]
    assert [(row["_step"], row["training/global_step"]) for row in run.between(0)] == [(s, s) for s in range(1, 11)]


@pytest.fixture
def command(server: wandb_server.Server) -> Iterator[Any]:
    """Starts the command in a session of its own."""
    started = []

    def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "analysis.sync", str(folder)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "WANDB_X_FILE_STREAM_MAX_BYTES": "2000"} | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate(timeout=120)


@pytest.mark.parametrize(
    ("operation", "occurrence", "whole_group"),
    [
        ("file_stream", 3, True),
        pytest.param("file_stream", 5, False, marks=pytest.mark.long),
        pytest.param("UpsertBucket", 1, True, marks=pytest.mark.long),
        pytest.param("HistoryPage", 1, True, marks=pytest.mark.long),
    ],
)
def test_a_kill_at_any_moment_costs_no_row_and_doubles_none(
    server: wandb_server.Server, chain: Path, run_of: Any, command: Any, operation: str, occurrence: int,
    whole_group: bool,
) -> None:  # fmt: skip
    seen: Counter[str] = Counter()
    process = None

    def kill(name: str, _: int) -> None:
        seen[name] += 1
        if name == operation and seen[name] == occurrence:
            assert process is not None
            (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)

    server.before_answer = kill
    process = command(chain)
    process.wait(timeout=120)
    assert process.returncode == -signal.SIGKILL
    server.before_answer = lambda *_: None
    for _ in range(30):
        said = command(chain).communicate(timeout=120)[0]
        if "another call is uploading it" not in said:
            break
    assert "uploaded" in said
    assert steps(run_of()) == STITCHED
    assert main([str(chain)]) == 0


def test_a_server_that_fails_in_the_middle_is_told_and_the_next_call_goes_on(
    server: wandb_server.Server, chain: Path, run_of: Any, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    for name, value in (PATIENCE | {"WANDB_X_FILE_STREAM_MAX_BYTES": "2000"}).items():
        monkeypatch.setenv(name, value)

    def fail(name: str, _: int) -> None:
        if name == "file_stream" and run_of().rows:
            server.failing = 500

    server.before_answer = fail
    assert main([str(chain)]) == 1
    said = capsys.readouterr()
    assert "type the command again" in said.out
    assert "1 of 1 are not uploaded" in said.err
    server.before_answer, server.failing = lambda *_: None, None
    assert 0 < len(run_of().rows) < 80
    server.refusals = 3  # answered with 429, which costs time alone
    assert main([str(chain)]) == 0
    assert steps(run_of()) == STITCHED


def test_a_refused_key_is_a_sentence_and_no_key(
    server: wandb_server.Server, chain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server.failing = 401
    assert main([str(chain)]) == 1
    said = capsys.readouterr()
    assert "cannot be used (" in said.out
    assert "type `wandb login`" in said.out
    assert KEY not in said.out + said.err
    assert not list(chain.rglob("*.synced"))


def test_what_the_client_says_counts_though_it_exits_with_0(
    server: wandb_server.Server, chain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def refuse(name: str, _: int) -> None:
        server.failing = 403 if name == "RunResumeStatus" else server.failing

    server.before_answer = refuse
    assert main([str(chain)]) == 1
    assert "`wandb sync` did not finish (ERROR " in capsys.readouterr().out


def test_what_is_still_written_is_left_alone(
    server: wandb_server.Server, chain: Path, capsys: pytest.CaptureFixture
) -> None:
    os.utime(logs(chain)[1])
    assert main([str(chain)]) == 1
    assert "left alone: run-chain.wandb has no end and was written" in capsys.readouterr().out
    aged(chain)
    (chain / ".lease").touch()
    assert main([str(chain)]) == 1
    assert "left alone: chain is being trained" in capsys.readouterr().out
    assert server.runs == {}
    os.utime(chain / ".lease", (1e9, 1e9))
    (chain / "run-x.wandb").write_bytes(b"")
    assert main([str(chain)]) == 1  # for the file that is no log
    assert "run-x.wandb begins with b''" in capsys.readouterr().out
    assert len(server.runs) == 1


def test_a_folder_without_runs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no W&B run where runs/STUDY" in capsys.readouterr().err
    assert main([str(tmp_path / "none")]) == 2
    assert "none is no folder" in capsys.readouterr().err
