"""The status of chains whose folders are written by the code that trains, and by processes that live and die."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from ablation import metrics, status
from ablation.chain_files import LEASE, read_tail
from ablation.chain_state import WORDS, ChainState, pace, read_chain
from ablation.printing import clock, last_error, span
from ablation.tracking import Tracker
from ablation.training.chain import ChainRecord, Status, write_record
from ablation.training.links import begin_link
from tests.ablation.test_config import compose
from tests.conftest import command

HERE = socket.gethostname()


def row(step: int, link: int = 0, seconds: float = 2.0, **changes: object) -> dict:
    values = {metrics.TIME_STEP: seconds, metrics.TIME_BETWEEN: 0.5, metrics.REWARD_EMA: 0.25, metrics.SOLVED: 0.125}
    return {metrics.STEP: step, metrics.LINK: link, **values, **changes}


def chain(study: Path, seed: int = 0, *, steps: int = 80, state: Status = "running", rows: int = 4) -> Path:
    """A chain's folder as the supervisor and the tracker write it; the supervisor is this process."""
    folder = study / f"binary-s{seed}"
    folder.mkdir(parents=True)
    config = compose("reward=binary", f"seed={seed}", f"study={study.name}", f"chain.steps={steps}", "tracking=off")
    record = ChainRecord(study.name, "binary", seed, "id", config.scientific_hash, steps, command="python -m typed")
    if state != "new":
        link = begin_link(config, record)
        tracker = Tracker(config, folder, link=link.link, first_step=1)
        for step in range(1, rows + 1):
            values = row(step)
            tracker.log(step, {name: values[name] for name in values if name not in (metrics.STEP, metrics.LINK)})
        tracker.close({})
        if state != "running":
            record.status, link.cause, link.end = state, "OSError: no space left", datetime.now(UTC).isoformat()
    write_record(folder, record)
    return folder


def change_link(folder: Path, **values: object) -> None:
    record = json.loads((folder / "chain.json").read_text())
    record["links"][-1] |= values
    (folder / "chain.json").write_text(json.dumps(record))


def seen(folder: Path, *, now_s: float | None = None, host: str = HERE) -> ChainState:
    return read_chain(folder, now_s=time.time() if now_s is None else now_s, host=host)


def write_rows(folder: Path, rows: list[dict]) -> None:
    (folder / "history.jsonl").write_text("".join(json.dumps(item) + "\n" for item in rows))


def test_every_status_that_a_record_can_have_has_a_word():
    assert set(WORDS) == set(get_args(Status))


def test_a_chain_whose_supervisor_lives_runs_and_shows_its_last_row(tmp_path):
    state = seen(chain(tmp_path / "study", rows=4))
    assert (state.status, state.link, state.step, state.steps) == ("running", 0, 4, 80)
    assert (state.reward_ema, state.solved, state.problems) == (0.25, 0.125, ())
    assert state.last_event.startswith("wrote ")


def test_a_running_chain_without_a_row_of_its_link_is_starting(tmp_path):
    folder = chain(tmp_path / "study", rows=0)
    assert seen(folder).last_event.startswith("starting")
    assert seen(folder).eta_s is None
    assert (seen(folder).step, seen(folder).problems) == (0, ())


def test_a_chain_is_interrupted_once_its_supervisor_was_killed(tmp_path):
    folder = chain(tmp_path / "study")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as supervisor:
        change_link(folder, pid=supervisor.pid)
        assert seen(folder).status == "running"
        supervisor.kill()
        os.waitid(os.P_PID, supervisor.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
        assert seen(folder).status == "interrupted"
    assert seen(folder).status == "interrupted"
    assert f"supervisor {supervisor.pid} is gone" in seen(folder).last_event


def test_a_younger_process_with_the_supervisors_number_is_not_the_supervisor(tmp_path):
    folder = chain(tmp_path / "study")
    change_link(folder, start="2020-01-01T00:00:00+00:00")
    assert seen(folder).status == "interrupted"


def test_the_error_in_the_log_of_an_interrupted_link_is_shown(tmp_path):
    folder = chain(tmp_path / "study")
    change_link(folder, start="2020-01-01T00:00:00+00:00")
    (folder / "logs").mkdir()
    (folder / "logs" / "link-0.log").write_text("x" * 40_000 + "\nTraceback\nMemoryError: too little\nwandb: bye\n")
    assert seen(folder).last_event.endswith("MemoryError: too little")


def test_a_chain_on_another_machine_runs_as_long_as_it_writes(tmp_path):
    folder = chain(tmp_path / "study")
    written = (folder / "history.jsonl").stat().st_mtime
    assert seen(folder, host="login", now_s=written + 100).status == "running"
    state = seen(folder, host="login", now_s=written + 12 * 60 + 30)
    assert (state.status, state.status_text) == ("silent", "silent for 12 min")
    assert state.eta_s is None
    assert HERE in state.last_event


def test_a_lease_that_is_kept_alive_is_believed_however_slow_the_steps_are(tmp_path):
    folder = chain(tmp_path / "study")
    now_s = time.time() + 5 * 3600
    (folder / LEASE).touch()
    os.utime(folder / LEASE, (now_s - 10, now_s - 10))
    state = seen(folder, host="login", now_s=now_s)
    assert (state.status, state.last_event) == ("running", "wrote 5 h 0 min ago")
    os.utime(folder / LEASE, (now_s - 200, now_s - 200))
    assert seen(folder, host="login", now_s=now_s).status == "silent"
    os.utime(folder / LEASE, (now_s + 3600, now_s + 3600))  # a clock that is ahead
    assert seen(folder, host="login", now_s=now_s).status == "running"


def test_a_clock_that_jumped_does_not_make_a_living_supervisor_another_process(tmp_path):
    folder = chain(tmp_path / "study")
    change_link(folder, start="2020-01-01T00:00:00+00:00")
    (folder / LEASE).touch()
    assert seen(folder).status == "running"


def test_a_chain_that_was_given_up_says_so(tmp_path):
    folder = chain(tmp_path / "study", state="failed")
    record = json.loads((folder / "chain.json").read_text())
    (folder / "chain.json").write_text(json.dumps(record | {"given_up": "links 3 and 4 both failed"}))
    assert seen(folder).last_event.endswith("OSError: no space left; no link follows by itself")


def test_slow_steps_are_waited_for(tmp_path):
    folder = chain(tmp_path / "study")
    write_rows(folder, [row(step, seconds=3000.0) for step in (1, 2)])
    written = (folder / "history.jsonl").stat().st_mtime
    assert seen(folder, host="login", now_s=written + 2 * 3000).status == "running"
    assert seen(folder, host="login", now_s=written + 4 * 3000).status == "silent"


@pytest.mark.parametrize(
    ("state", "word"), [("complete", "finished"), ("stopped", "interrupted"), ("failed", "failed")]
)
def test_an_ended_link_says_how_and_when(tmp_path, state, word):
    shown = seen(chain(tmp_path / "study", state=state), now_s=time.time() + 7200)
    assert (shown.status, shown.eta_s) == (word, None)
    assert shown.last_event.startswith(f"link 0 {state} 2 h 0 min ago: OSError: no space left")


def test_a_recorded_chain_that_has_not_begun_waits(tmp_path):
    state = seen(chain(tmp_path / "study", state="new"))
    assert (state.status, state.step, state.link, state.last_event) == ("waiting", 0, None, "not begun")


def test_a_later_link_tells_how_the_one_before_ended_and_its_rate_is_its_own(tmp_path):
    folder = chain(tmp_path / "study")
    record = json.loads((folder / "chain.json").read_text())
    record["links"] = [record["links"][0] | {"cause": "killed by SIGKILL"}, record["links"][0] | {"link": 1}]
    (folder / "chain.json").write_text(json.dumps(record))
    write_rows(folder, [*(row(step) for step in range(1, 9)), row(6, link=1, seconds=9.0)])
    state = seen(folder)
    assert (state.link, state.step, state.seconds_per_step) == (1, 6, 9.5)
    assert state.last_event.endswith("link 0 ended: killed by SIGKILL")


def test_rate_is_the_median_step_with_what_lies_between_and_eta_what_is_left_at_it(tmp_path):
    folder = chain(tmp_path / "study", steps=80)
    times = [1000.0, *range(1, 20), 500.0]
    write_rows(folder, [row(step, seconds=seconds) for step, seconds in enumerate(times, start=1)])
    expected = statistics.median([seconds + 0.5 for seconds in times[-10:]])
    state = seen(folder)
    assert state.seconds_per_step == expected
    assert state.eta_s == expected * (80 - len(times))


def test_values_that_were_not_measured_are_no_numbers():
    assert pace([row(1, seconds=None), row(2, seconds=4.0, **{metrics.TIME_BETWEEN: None})]) == 4.0
    assert pace([]) is None


@pytest.mark.parametrize("padding", [0, 3_000, 5_000, 50_000])
def test_the_tail_equals_the_end_of_the_whole_history_however_long_its_lines_are(tmp_path, padding):
    path = tmp_path / "history.jsonl"
    write_rows(tmp_path, [row(step, note="x" * padding) for step in range(1, 41)])
    whole = [json.loads(line) for line in path.read_text().splitlines()]
    problems: list[str] = []
    assert list(read_tail(path, problems, lines=7).rows) == whole[-7:]
    assert problems == []


def test_only_the_end_of_a_history_is_read(tmp_path):
    path = tmp_path / "history.jsonl"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole that no machine could hold in memory
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"".join(json.dumps(row(step, note="x" * 4000)).encode() + b"\n" for step in range(12)))
    assert [item["step"] for item in read_tail(path, []).rows] == list(range(2, 12))


def test_unreadable_and_torn_lines_are_told_and_the_others_used(tmp_path):
    folder = chain(tmp_path / "study")
    lines = [json.dumps(row(1)), "{oops", "[3]", json.dumps(row(2)), '{"step": 3, "chain']
    (folder / "history.jsonl").write_text("\n".join(lines))
    state = seen(folder)
    assert state.step == 2
    assert state.problems == (
        "the last line of history.jsonl is torn",
        "3 of the last 5 lines of history.jsonl are unreadable",
    )


def test_a_history_of_nothing_but_unreadable_lines_has_no_known_step(tmp_path):
    folder = chain(tmp_path / "study")
    (folder / "history.jsonl").write_bytes(b"\x00\xff\n" * 20)
    state = seen(folder)
    assert (state.step, state.problems) == (None, ("10 of the last 10 lines of history.jsonl are unreadable",))


@pytest.mark.parametrize("text", ["{", "[1]", "", "\udcff"])
def test_an_unreadable_record_is_told_on_its_line_and_the_other_chains_shown(tmp_path, monkeypatch, capsys, text):
    monkeypatch.chdir(tmp_path)
    broken = chain(Path("runs/study"), seed=1)
    chain(Path("runs/study"), seed=0)
    (broken / "chain.json").write_bytes(text.encode(errors="surrogateescape"))
    (broken / "config.yaml").write_text("{arm: binary, seed: 1, study: study, chain: {steps: 60}}")
    assert status.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    (good,) = (line for line in lines if line.startswith("binary  0"))
    (bad,) = (line for line in lines if line.startswith("binary  1"))
    assert "running" in good
    assert "unreadable" in bad
    assert "chain.json" in bad
    assert "4/60" in bad


@pytest.mark.parametrize("yaml", [None, "{: [", "- 1"])
def test_a_chain_that_says_nothing_of_itself_is_still_shown(tmp_path, yaml):
    folder = chain(tmp_path / "study")
    (folder / "chain.json").unlink()
    if yaml:
        (folder / "config.yaml").write_text(yaml)
    state = seen(folder)
    assert (state.status, state.arm, state.seed, state.steps, state.step) == ("unreadable", "binary-s0", None, None, 4)
    assert [problem.split()[0] for problem in state.problems] == ["chain.json", "config.yaml"]


def test_values_of_other_types_in_a_record_are_told(tmp_path):
    folder = chain(tmp_path / "study")
    record = json.loads((folder / "chain.json").read_text())
    (folder / "chain.json").write_text(json.dumps(record | {"seed": "x", "steps": None, "links": [1, {"start": 3}]}))
    state = seen(folder)
    assert state.problems == ("chain.json has no valid seed, steps", "1 links in chain.json are no objects")
    assert (state.seed, state.steps, state.status) == (None, None, "running")
    (folder / "chain.json").write_text(json.dumps(record | {"links": []}))
    assert seen(folder).status == "unreadable"


def test_what_failed_is_named_with_the_command_that_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, state in enumerate(("complete", "failed", "failed")):
        chain(Path("runs/study"), seed, state=state, rows=4 + 76 * (state == "complete"))
    assert status.main(["study"]) == 0
    out = capsys.readouterr().out
    assert "Of 3 chains 1 finished, 2 failed; 88 of 240 steps done." in out
    assert out.splitlines()[-1] == "To go on with what was interrupted or failed: python -m typed"
    assert out.count("python -m typed") == 1
    assert out.count("OSError: no space left") == 3


def planned(status: str, left: int, rate: float | None) -> ChainState:
    return ChainState("f", "s", "a", 0, status, 0, 80 - left, 80, rate, None, None, None, None, None, "", "", ())


def test_a_study_ends_when_waiting_chains_have_taken_the_places_of_running_ones():
    running = [planned("running", 10, 1.0), planned("running", 40, 1.0)]
    assert status.totals(running).eta_s == 40
    # Both wait at the usual rate: the first place is free after 10 s, then after 10 + 30 s, as is the second.
    assert status.totals([*running, planned("waiting", 30, None), planned("waiting", 20, None)]).eta_s == 60
    lost = replace(planned("unreadable", 80, 9.0), steps=None, step=None)
    assert status.totals([*running, planned("failed", 80, 9.0), lost]).eta_s == 40
    assert status.totals([planned("waiting", 80, None)]).eta_s is None
    assert status.totals([planned("running", 80, None)]).eta_s is None


def test_json_lines_say_what_the_table_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in (10, 9):
        chain(Path("runs/study"), seed)
    assert status.main(["runs/study", "--json"]) == 0
    items = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [item["kind"] for item in items] == ["chain", "chain", "study"]
    assert [(item["arm"], item["seed"], item["step"]) for item in items[:2]] == [("binary", 9, 4), ("binary", 10, 4)]
    assert items[0]["eta_s"] == 76 * 2.5
    assert (items[2]["by_status"], items[2]["steps_done"], items[2]["eta_s"]) == ({"running": 2}, 8, 76 * 2.5)


def test_the_newest_study_is_shown_without_a_name(tmp_path):
    older, newer = (chain(tmp_path / name) for name in ("z", "a"))
    (tmp_path / "empty").mkdir()
    for name in ("chain.json", "history.jsonl"):
        os.utime(older / name, (1, 1))
    assert status.find_study(None, tmp_path) == newer.parent


def test_what_is_no_study_is_answered_with_the_studies_that_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert status.main([]) == 2
    chain(Path("runs/one"))
    chain(Path("runs/two"))
    for given, found in (
        ("three", "three does not exist"),
        ("runs", "runs holds no chain"),
        ("runs/one/binary-s0/chain.json", "is no folder"),
    ):
        assert status.main([given]) == 2
        said = capsys.readouterr().err
        assert found in said
        assert "`python -m ablation.status runs/one`, or another of runs/two" in said
    assert status.main(["runs/one/binary-s0"]) == 2
    assert "one chain" in (said := capsys.readouterr().err)
    assert "`python -m ablation.status runs/one`" in said


def test_folders_that_are_no_chains_are_left_alone(tmp_path):
    chain(tmp_path / "study")
    for name in ("evaluation", ".launches", "report"):
        (tmp_path / "study" / name).mkdir()
    (tmp_path / "study" / "evaluation" / ".lock").touch()
    (tmp_path / "study" / ".launches" / "chain.json").write_text("{}")
    assert [folder.name for folder in status.chain_folders(tmp_path / "study")] == ["binary-s0"]


def test_the_command_imports_no_framework(tmp_path):
    chain(tmp_path / "runs" / "study")
    heavy = ("torch", "trl", "transformers", "wandb", "pandas", "numpy", "hydra", "omegaconf")
    code = f"import sys; from ablation.status import main; main(); sys.exit(bool({{*{heavy}}} & {{*sys.modules}}))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "binary" in ended.stdout


def test_the_command_prints_what_a_user_typed_for(tmp_path):
    chain(tmp_path / "runs" / "study")
    ended = command("ablation.status", "study", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "interrupted" not in ended.stdout
    assert "4/80" in ended.stdout
    assert "Of 1 chains 1 running; 4 of 80 steps done; ETA 0:04 h with 1 side by side" in ended.stdout


def test_times_to_come_are_rounded_up_and_times_gone_by_down():
    assert [clock(s) for s in (0, 1, 60, 61, 3600, 100 * 3600 + 1)] == [
        "0:00",
        "0:01",
        "0:01",
        "0:02",
        "1:00",
        "100:01",
    ]
    assert [span(s) for s in (-3, 59.9, 60, 3599, 3600 + 300, 100_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "59 min",
        "1 h 5 min",
        "1 d 3 h",
    ]


def test_the_last_error_of_a_log_is_found_among_later_talk():
    assert last_error("ValueError: a\ntorch.OutOfMemoryError: b\n  warning: c\n") == "torch.OutOfMemoryError: b"
    assert last_error("all is well\n") == ""
