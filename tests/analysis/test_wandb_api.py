from pathlib import Path

import pytest
import wandb_server
from wandb_client import log_runs

from analysis import pull
from analysis.errors import AnalysisError
from analysis.history import series
from analysis.sources import open_source


def plan(run_id: str, steps: range, **init: object) -> dict[str, object]:
    rows = [{"train/global_step": s, "train/reward": s / 8, "nested": {"deep": s}, "odd": "text"} for s in steps]
    return {"init": {"project": "grpo", "id": run_id} | init, "rows": rows}


def stored(server: wandb_server.Server, run_id: str, rows: int, **about: object) -> wandb_server.Stored:
    run = wandb_server.Stored(wandb_server.ENTITY, "grpo", run_id, len(server.runs), display=run_id, **about)
    run.rows = {i: {"_step": i, "train/global_step": i, "train/reward": i / 8} for i in range(rows)}
    server.runs[wandb_server.ENTITY, "grpo", run_id] = run
    return run


def test_what_the_client_logged_online_is_read_as_what_it_logs_offline(
    server: wandb_server.Server, tmp_path: Path
) -> None:
    about = {"group": "shaped", "config": {"seed": 7}}
    rows = plan("same", range(1, 21), **about)
    rows["rows"] += [{"train/global_step": 20, "eval/solved": float("nan"), "eval/loss": float("inf")}]
    log_runs(tmp_path / "online", [rows], **server.environment())
    log_runs(tmp_path / "offline", [rows])
    online, offline = open_source("wandb:lab/grpo"), open_source(str(tmp_path / "offline"))
    assert len(online.history.frame) == 20 * 2 + 2
    assert online.history.frame.equals(offline.history.frame)
    assert [(c.arm, c.seed, c.status) for c in online.chains] == [("shaped", 7, "complete")]
    assert [(c.arm, c.seed, c.status) for c in offline.chains] == [("shaped", 7, "complete")]


def test_a_run_that_was_resumed_online_is_stitched(server: wandb_server.Server, tmp_path: Path) -> None:
    first = plan("again", range(1, 14), group="a")
    second = plan("again", range(11, 21), group="a", resume="allow")
    second["rows"] = [row | {"train/reward": -1.0} for row in second["rows"]]
    log_runs(tmp_path, [first, second], **server.environment())
    study = open_source("wandb:lab/grpo")
    rewards = series(study.history.frame, "a", 0, "train/reward")
    assert rewards == {step: step / 8 if step < 11 else -1.0 for step in range(1, 21)}
    assert set(study.history.frame["link"]) == {0, 1}
    assert any("3 rows of steps that a later link logged again" in problem for problem in study.history.problems)


def test_every_row_is_read_however_long_the_run_is(server: wandb_server.Server) -> None:
    run = stored(server, "long", 1700, group="a")
    del run.rows[3]["train/reward"]
    study = open_source("wandb:lab/grpo")
    assert len(study.history.frame) == 1699


def asked(server: wandb_server.Server) -> list[tuple[int, int]]:
    """The ranges of steps that were asked for since the last time."""
    ranges = [(v["minStep"], v["maxStep"]) for name, v in server.calls if name == "HistoryPage"]
    server.calls.clear()
    return ranges


def test_what_has_not_changed_is_not_asked_for_again(server: wandb_server.Server) -> None:
    run = stored(server, "done", 40, group="a", state="finished")
    run.rows[3] |= {"train/reward": "NaN", "text": "words"}
    first = open_source("wandb:lab/grpo").history
    assert asked(server) == [(0, 40)]
    second = open_source("wandb:lab/grpo").history
    assert asked(server) == []
    assert second.frame.equals(first.frame)
    assert second.problems == first.problems
    assert any("1 keys hold no numbers" in problem for problem in second.problems)


def test_of_a_running_run_that_grew_the_new_rows_are_asked_for(server: wandb_server.Server) -> None:
    run = stored(server, "grows", 40, group="a")
    open_source("wandb:lab/grpo")
    asked(server)
    run.rows |= {i: {"_step": i, "train/global_step": i, "train/reward": 0.5} for i in range(40, 80)}
    run.state = "finished"
    grown = open_source("wandb:lab/grpo").history.frame
    assert asked(server) == [(39, 80)]
    assert series(grown, "a", 0, "train/reward") == {i: i / 8 if i < 40 else 0.5 for i in range(80)}
    assert open_source("wandb:lab/grpo").history.frame.equals(grown)
    assert asked(server) == []


@pytest.mark.parametrize("change", ["resumed", "synced again", "made anew", "rewound", "shrunk"])
def test_a_run_that_changed_in_another_way_is_read_whole(server: wandb_server.Server, change: str) -> None:
    run = stored(server, "r", 40, group="a", state="running" if change in ("rewound", "shrunk") else "finished")
    open_source("wandb:lab/grpo")
    asked(server)
    run.beats += 1
    other = range(5, 40 if change == "rewound" else 20)
    for step in other:
        run.rows[step]["train/reward"] = -1.0
    if change == "made anew":
        run.order += 1  # and so created later
    if change == "resumed":
        run.rows |= {i: {"_step": i, "train/global_step": i, "train/reward": i / 8} for i in range(40, 50)}
    if change == "shrunk":
        del run.rows[39]
    values = series(open_source("wandb:lab/grpo").history.frame, "a", 0, "train/reward")
    assert values == {step: -1.0 if step in other else step / 8 for step in run.rows}
    assert asked(server)[-1] == (0, len(run.rows))


def test_a_run_that_the_server_exports_and_that_grew_is_read_whole(server: wandb_server.Server) -> None:
    run = stored(server, "grows", 40, group="a", exported=True, state="finished")
    assert len(open_source("wandb:lab/grpo").history.frame) == 40
    run.rows |= {i: {"_step": i, "train/global_step": i, "train/reward": 0.0} for i in range(40, 80)}
    assert len(open_source("wandb:lab/grpo").history.frame) == 80


def test_a_damaged_file_of_kept_rows_costs_nothing_but_time(server: wandb_server.Server, tmp_path: Path) -> None:
    stored(server, "r", 40, group="a", state="finished")
    first = open_source("wandb:lab/grpo").history.frame
    [kept] = (tmp_path / "cache").rglob("r.parquet")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert open_source("wandb:lab/grpo").history.frame.equals(first)
    asked(server)
    assert open_source("wandb:lab/grpo").history.frame.equals(first)
    assert asked(server) == []


def test_rows_that_cannot_be_kept_are_read_and_that_is_told(server: wandb_server.Server, tmp_path: Path) -> None:
    stored(server, "r", 3, group="a")
    (tmp_path / "cache").mkdir(exist_ok=True)
    (tmp_path / "cache" / "ablation").write_text("a file where a folder must be")
    study = open_source("wandb:lab/grpo")
    assert len(study.history.frame) == 3
    assert any("cannot be kept for the next time" in problem for problem in study.history.problems)


def test_configs_come_with_the_list_and_not_by_a_query_for_each_run(server: wandb_server.Server) -> None:
    for index in range(60):
        stored(server, f"r{index}", 2, group="a", config=f'{{"seed": {{"value": {index}}}}}')
    assert len(open_source("wandb:lab/grpo").chains) == 60
    operations = server.operations()
    assert len([name for name in operations if "Runs" in name]) == 2
    assert not [name for name in operations if name in ("Run", "GetRun")]


def test_a_server_that_is_busy_is_asked_again(server: wandb_server.Server) -> None:
    stored(server, "r", 3, group="a")
    server.refusals = 2
    assert len(open_source("wandb:lab/grpo").history.frame) == 3
    assert server.operations().count("429") == 2


def test_words_for_numbers_are_numbers(server: wandb_server.Server) -> None:
    run = stored(server, "r", 3, group="a")
    run.rows[1]["train/reward"], run.rows[2]["train/reward"] = "NaN", "-Infinity"
    values = series(open_source("wandb:lab/grpo").history.frame, "a", 0, "train/reward")
    assert values[1] != values[1]
    assert values[2] == float("-inf")


def test_a_project_without_runs_is_one_sentence(server: wandb_server.Server) -> None:
    with pytest.raises(AnalysisError, match="wandb:lab/none holds no W&B run"):
        open_source("wandb:lab/none")


def test_a_server_that_refuses_is_one_sentence(server: wandb_server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(server, "r", 3, group="a")
    monkeypatch.setattr(server, "_HistoryPage", None)
    with pytest.raises(AnalysisError, match=r"^wandb:lab/grpo cannot be read \(.*\): check .* `wandb login`\.$"):
        open_source("wandb:lab/grpo")
    assert [call.split()[0] for call in server.unknown] == ["HistoryPage"]
    server.unknown.clear()


def test_a_source_without_a_project_is_one_sentence() -> None:
    with pytest.raises(AnalysisError, match="wandb:lab names no project where wandb:ENTITY/PROJECT is expected"):
        open_source("wandb:lab")


def test_pull_takes_a_project(server: wandb_server.Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stored(server, "r", 3, group="a")
    assert pull.main(["wandb:lab/grpo", "--out", str(tmp_path / "history.parquet")]) == 0
    assert "3 values of 1 chains" in capsys.readouterr().out
