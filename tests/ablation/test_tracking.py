"""The tracker against the real W&B client, which must never cost training a row."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import wandb

from ablation import metrics
from ablation.tracking import Tracker, run_id
from tests.ablation.test_config import compose
from tests.analysis import wandb_server
from tests.conftest import ROOT, command


def logged(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]


def config(mode: str):
    made = compose(f"tracking={mode}", "study=tracked")
    made.arm = "binary"
    return made


def test_rows_reach_the_file_before_log_returns_and_carry_no_nan(tmp_path):
    tracker = Tracker(config("off"), tmp_path, link=2, first_step=1)
    tracker.log(1, {metrics.REWARD_TRAIN: math.nan, metrics.SOLVED: 0.5})
    assert logged(tmp_path) == [{"step": 1, "chain/link": 2, "reward/train": None, "score/solved": 0.5}]
    tracker.close({})


def test_a_later_link_sees_the_stitched_rewards_and_cuts_a_torn_line(tmp_path):
    first = Tracker(config("off"), tmp_path, link=0, first_step=1)
    for step in (1, 2, 3):
        first.log(step, {metrics.REWARD_TRAIN: step / 10})
    first.close({})
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"step": 4, "chain/li')
    second = Tracker(config("off"), tmp_path, link=1, first_step=3)
    assert second.rewards == {1: 0.1, 2: 0.2}
    second.log(3, {metrics.REWARD_TRAIN: 0.9})
    second.close({})
    assert [row["step"] for row in logged(tmp_path)] == [1, 2, 3, 3]


def test_offline_tracking_writes_a_run_with_the_chains_id(tmp_path):
    tracker = Tracker(config("offline"), tmp_path, link=0, first_step=1)
    tracker.log(1, {metrics.SOLVED: 0.5})
    tracker.close({"pick/step": 1})
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert folder.name.endswith(run_id(config("offline")))
    (file,) = folder.glob("*.wandb")
    content = file.read_bytes()
    assert b"score/solved" in content
    assert b"pick/step" in content


def in_fresh_process(cwd: Path, code: str, **environment: str) -> str:
    """Runs ``code`` after a tracker ``tracker`` was made in ``cwd``; returns what was logged."""
    prelude = """
import logging, psutil
from pathlib import Path
from tests.ablation.test_tracking import config
from ablation.tracking import Tracker
logging.basicConfig()
"""
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    ended = subprocess.run(
        [sys.executable, "-c", prelude + code],
        cwd=cwd,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


@pytest.mark.parametrize("end", ["SIGKILL", pytest.param("SIGSTOP", marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_wandb_process_that_is_dead_or_hangs_costs_no_row_and_raises_nothing(tmp_path, end, mode):
    with wandb_server.serving() as server:
        said = in_fresh_process(
            tmp_path,
            f"""
import signal
from ablation import tracking
tracker = Tracker(config("{mode}"), Path("."), link=0, first_step=1)
tracking._ANSWER_S = tracking._FINISH_TIMEOUT_S = 1
tracker.log(1, {{"score/solved": 0.5}})
services = [c for c in psutil.Process().children(recursive=True) if "wandb" in " ".join(c.cmdline())]
assert services
for service in services:
    service.send_signal(signal.{end})
for step in range(2, 60):
    tracker.log(step, {{"score/solved": 0.5}})
tracker.close({{}})
""",
            **server.environment() if mode == "online" else {},
        )
    assert [row["step"] for row in logged(tmp_path)] == list(range(1, 60))
    assert "W&B is off for the rest of this link" in said


def test_no_network_falls_back_to_offline(tmp_path):
    said = in_fresh_process(
        tmp_path,
        """
tracker = Tracker(config("online"), Path("."), link=0, first_step=1)
tracker.log(1, {"score/solved": 0.5})
tracker.close({})
""",
        WANDB_BASE_URL="http://127.0.0.1:9",  # nothing listens there
        WANDB_API_KEY="0" * 40,
        WANDB_INIT_TIMEOUT="5",
    )
    assert logged(tmp_path)[0]["score/solved"] == 0.5
    assert "tracked offline" in said
    assert "W&B is off" not in said
    [log] = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert b"score/solved" in log.read_bytes()


def test_links_online_offline_and_online_again_are_one_run_after_a_sync(tmp_path):
    unreachable = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_INIT_TIMEOUT": "5"}
    with wandb_server.serving() as server:
        for link, steps, more in ((0, range(1, 4), {}), (1, range(3, 6), unreachable)):
            said = in_fresh_process(tmp_path, a_link(link, steps), **server.environment() | more)
            assert ("tracked offline" in said) == bool(more)
            assert "W&B is off" not in said
        ended = command("analysis.sync", str(tmp_path), cwd=tmp_path, **server.environment())
        assert ended.returncode == 0, ended.stdout + ended.stderr
        in_fresh_process(tmp_path, a_link(2, range(6, 8)), **server.environment())
        assert server.unknown == []
        [run] = server.runs.values()
    rows = [(row["chain/link"], row["step"]) for row in run.between(0)]
    assert rows == [(0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (1, 5), (2, 6), (2, 7)]
    assert [row["_step"] for row in run.between(0)] == list(range(8))
    assert run.name == run_id(config("online"))


def a_link(link: int, steps: range) -> str:
    return f"""
tracker = Tracker(config("online"), Path("."), link={link}, first_step={steps.start})
for step in range({steps.start}, {steps.stop}):
    tracker.log(step, {{"reward/train": step / 8}})
tracker.close({{}})
"""


def test_an_id_that_the_server_refuses_for_ever_gets_a_generation_suffix(tmp_path, monkeypatch):
    """No open server refuses ids, so the client's answer to one is stood in for."""
    asked: list[str] = []
    real = wandb.init

    def refusing(**options):
        asked.append(options["id"])
        if len(asked) < 3:
            raise wandb.errors.CommError(f"run {options['id']} was previously created and deleted")
        return real(**options)

    monkeypatch.setattr(wandb, "init", refusing)
    tracker = Tracker(config("offline"), tmp_path, link=0, first_step=1)
    tracker.log(1, {metrics.SOLVED: 0.5})
    tracker.close({})
    first = run_id(config("offline"))
    assert asked == [first, f"{first}-g2", f"{first}-g3"]
    assert [folder.name.endswith("-g3") for folder in (tmp_path / "wandb").glob("offline-run-*")] == [True]
