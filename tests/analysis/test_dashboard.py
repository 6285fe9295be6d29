import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb_server

from analysis import dashboard

pytest.importorskip("wandb_workspaces", reason="the extra `dashboard` is not installed")


def panels(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for section in made["spec"]["section"]["panelBankConfig"]["sections"]:
        for panel in section["panels"]:
            yield panel["config"]


@pytest.fixture
def written(tmp_path: Path, server: wandb_server.Server) -> dict[str, Any]:
    """The json of a workspace that was written next to a server that nobody may ask."""
    assert dashboard.main(["wandb:lab/grpo", "--out", str(tmp_path / "deep" / "workspace.json")]) == 0
    assert server.operations() == []
    return json.loads((tmp_path / "deep" / "workspace.json").read_text())


def test_a_workspace_is_written_without_asking_a_server(written: dict[str, Any]) -> None:
    assert (written["entity"], written["project"]) == ("lab", "grpo")
    sections = [section["name"].split(" (")[0] for section in written["spec"]["section"]["panelBankConfig"]["sections"]]
    assert sections == ["Reward", "Shared scores", "Signal", "Health", "Timing"]
    assert written["spec"]["section"]["runSets"][0]["grouping"] == [{"section": "run", "name": "group"}]


def test_every_panel_is_over_our_step_grouped_by_arm_with_a_band(written: dict[str, Any]) -> None:
    for panel in panels(written):
        assert (panel["xAxis"], panel["groupBy"], panel["groupAgg"], panel["groupArea"]) == (
            "step",
            "group",
            "mean",
            "minmax",
        )


def test_curves_are_smoothed_by_the_span_of_the_rule_and_never_by_time(written: dict[str, Any]) -> None:
    by_metric = {panel["metrics"][0]: panel for panel in panels(written)}
    assert by_metric["reward/ema"]["smoothingType"] == "none"
    assert by_metric["score/solved"]["smoothingType"] == "exponential"
    assert by_metric["score/solved"]["smoothingWeight"] == pytest.approx(2 / 3)
    assert "TimeWeighted" not in json.dumps(written)


def test_a_pushed_workspace_is_the_one_that_was_written(
    server: wandb_server.Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "workspace.json"
    assert dashboard.main(["wandb:lab/grpo", "--out", str(out), "--push"]) == 0
    [view] = server.views
    assert (view["entityName"], view["projectName"], view["displayName"]) == ("lab", "grpo", "Arms")
    sent, kept = json.loads(view["spec"]), json.loads(out.read_text())
    assert [panel["metrics"] for panel in panels({"spec": sent})] == [panel["metrics"] for panel in panels(kept)]
    assert "/lab/grpo" in capsys.readouterr().out


def test_a_server_that_refuses_is_one_sentence(
    server: wandb_server.Server, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_UpsertView2", None)
    assert dashboard.main(["wandb:lab/grpo", "--out", str(tmp_path / "w.json"), "--push"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("analysis.dashboard: The workspace was not saved to lab/grpo (")
    assert [call.split()[0] for call in server.unknown] == ["UpsertView2"]
    server.unknown.clear()


@pytest.mark.parametrize("project", ["wandb:lab", "grpo", "wandb:a/b/c", "wandb:/grpo"])
def test_a_project_that_is_none_is_one_sentence(project: str, capsys: pytest.CaptureFixture) -> None:
    assert dashboard.main([project]) == 2
    assert "names no project where wandb:ENTITY/PROJECT is expected" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    assert dashboard.main(["wandb:lab/grpo"]) == 2
    assert "-e '.[dashboard]'" in capsys.readouterr().err
