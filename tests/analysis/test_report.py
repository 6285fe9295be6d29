import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import study_folder as folder

from analysis import pull, render, report
from analysis.findings import find
from analysis.reproduce import commands
from analysis.sources import open_source

pytestmark = pytest.mark.xdist_group("report")  # one worker: the fixtures are made once
OF_STUDY = ("history", "chains", "differing", "cost", "picks", "rules", "curves", "comparison", "held_out", "tasks")
OF_ROLLOUTS = ("chains", "signal", "agreement", "passed", "kinds", "lengths", "tasks")
CSV = (*(f"{name}.csv" for name in OF_STUDY), *(f"rollouts_{name}.csv" for name in OF_ROLLOUTS))
PICTURES = (
    *("curve-binary", "curve-shaped", "shared-scores", "signal", "held-out", "pass-at-k"),
    *("agreement", "outcomes", "failures", "lengths", "tasks"),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of two arms and three seeds with its report; read only."""
    study = folder.write_study(tmp_path_factory.mktemp("runs") / "demo")
    assert report.main([str(study)]) == 0
    return study


@pytest.fixture(scope="module")
def html(finished: Path) -> str:
    return (finished / "report" / "report.html").read_text()


class Page(HTMLParser):
    """Tags, ids and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "action"):
                self.addresses.append(value or "")


def test_every_promised_file_is_written(finished: Path) -> None:
    out = finished / "report"
    assert all((out / name).stat().st_size for name in (*CSV, "best.json", "report.html", "report.md"))
    figures = {path.name for path in (out / "figures").iterdir()}
    assert figures == {f"{name}.{kind}" for name in PICTURES for kind in ("svg", "png")}


def test_the_markdown_shows_every_figure_and_says_the_same_answer(finished: Path) -> None:
    text = (finished / "report" / "report.md").read_text()
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert set(shown) == {f"figures/{name}.png" for name in PICTURES}
    assert all((finished / "report" / path).is_file() for path in shown)
    for sentence in find(open_source(str(finished))).answer:
        assert sentence in text


def test_every_figure_on_the_page_says_which_csv_files_hold_its_numbers(finished: Path, html: str) -> None:
    named = set(re.findall(r"<code>([a-z_]+\.csv)</code>", html))
    assert named == set(CSV)


def test_the_page_needs_nothing_from_outside(html: str) -> None:
    page = Page(html)
    assert "script" not in page.tags
    assert all(address.startswith("#") for address in page.addresses)
    assert not re.search(r"@import|url\((?!#)", html)


def test_ids_are_unique_and_every_reference_has_its_target(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    references = {a[1:] for a in page.addresses} | set(re.findall(r"url\(#([^)]+)\)", html))
    assert references <= set(page.ids)


def test_the_same_input_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    assert report.main([str(finished), "--out", str(tmp_path)]) == 0
    first = {p.relative_to(finished / "report"): p for p in (finished / "report").rglob("*") if p.is_file()}
    assert len(first) == len(CSV) + 3 + 2 * len(PICTURES)
    assert [str(name) for name, path in first.items() if path.read_bytes() != (tmp_path / name).read_bytes()] == []


def test_best_json_has_the_promised_form(finished: Path) -> None:
    best = json.loads((finished / "report" / "best.json").read_text())
    assert set(best) == {"study", "rule", "arms"}
    assert best["study"] == "demo"
    assert set(best["arms"]) == {"binary", "shaped"}
    for arm in best["arms"].values():
        assert set(arm) == {"chains", "shipped"}
        assert [set(chain) for chain in arm["chains"]] == [{"seed", "step", "score", "checkpoint"}] * 3
        assert set(arm["shipped"]) == {"seed", "step", "checkpoint", "by"}
        assert arm["shipped"]["by"].startswith("validation")
        assert all(Path(chain["checkpoint"]).is_dir() for chain in arm["chains"])


def test_the_picks_in_best_json_are_those_of_pandas_ewm(finished: Path) -> None:
    best = json.loads((finished / "report" / "best.json").read_text())
    history = pd.read_csv(finished / "report" / "history.csv")
    rewards = history[history["metric"] == "reward/train"]
    for arm, found in best["arms"].items():
        for chain in found["chains"]:
            of_chain = rewards[(rewards["arm"] == arm) & (rewards["seed"] == chain["seed"])].set_index("step")
            averages = of_chain["value"].ewm(span=5, adjust=False).mean().loc[range(10, 81, 5)]
            assert chain["step"] == averages.idxmax()
            assert chain["score"] == pytest.approx(averages.max())


def test_the_page_shows_selection_and_held_out_scores_of_every_pick(finished: Path, html: str) -> None:
    for row in pd.read_csv(finished / "report" / "picks.csv").to_dict("records"):
        assert f"<td>{row['score']:.3f}</td>" in html.replace('<td class="">', "<td>")
        assert f"{100 * row['test_solved']:.1f} ± {100 * row['test_solved_se']:.1f}" in html


def test_formula_and_n_are_printed_on_the_curves(finished: Path) -> None:
    for arm in ("binary", "shaped"):
        text = (finished / "report" / "figures" / f"curve-{arm}.svg").read_text()
        assert "EMA span 5: E₁ = r₁" in text
        assert "N = 3 seeds" in text


def test_held_out_means_equal_a_plain_mean_over_the_files(finished: Path) -> None:
    table = pd.read_csv(finished / "report" / "held_out.csv").set_index(["split", "subject"])
    for path in (finished / "evaluation").rglob("*.parquet"):
        rows = pd.read_parquet(path)
        row = table.loc[(path.parent.name, path.stem)]
        assert row["solved"] == pytest.approx(rows["solved"].mean())
        by_task = rows.groupby("task_id")["solved"].mean()
        assert row["solved_se"] == pytest.approx(by_task.std(ddof=1) / np.sqrt(len(by_task)))


def test_markup_in_a_completion_is_shown_not_obeyed(tmp_path: Path) -> None:
    study = tmp_path / "<b>odd"
    chain = folder.write_chain(study, "binary", 0, folder.curve("binary", 0, 20), target=20)
    folder.write_rollouts(chain, [1], completion="</pre><script>alert(1)</script>\x00")
    pictures = dict.fromkeys(("curve-binary", "shared-scores", "signal", "held-out"), "")
    page = render.pages(find(open_source(str(study))), pictures, [str(study)]).html
    assert "script" not in Page(page).tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x00" not in page


def test_an_unfinished_study_is_reported_with_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    study = tmp_path / "half"
    folder.write_chain(study, "binary", 0, folder.curve("binary", 0, 33), status="running")
    folder.write_chain(study, "shaped", 0, folder.curve("shaped", 0, 4), status="failed")
    with (study / "binary-s0" / "history.jsonl").open("a") as file:
        file.write('{"step": 34, "chain/li')
    assert report.main([str(study)]) == 0
    page = (study / "report" / "report.html").read_text()
    for words in (
        "not a comparison",
        "binary-s0 is running at step 33 of 80",
        "shaped-s0 has no pick",
        "The base model has no test scores",
        f"python -m ablation.evaluate {study}",
        "binary-s0/history.jsonl line 34 is torn",
    ):
        assert words in page
    best = json.loads((study / "report" / "best.json").read_text())
    assert best["arms"]["shaped"] == {"chains": [], "shipped": None}
    assert len(best["arms"]["binary"]["chains"]) == 1
    assert "problems were found" in capsys.readouterr().out


@pytest.mark.parametrize("command", [report.main, pull.main])
def test_nothing_to_report_on_is_one_sentence_and_code_2(command, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (folder.write_chain(tmp_path / "new", "binary", 0, folder.curve("binary", 0, 1)) / "history.jsonl").unlink()
    for sources in ([], ["empty"], ["nowhere"], ["new"]):
        assert command(sources) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "python -m ablation.run" in error


@pytest.mark.parametrize("command", [report.main, pull.main])
def test_an_output_that_cannot_be_written_is_one_sentence_and_code_2(command, tmp_path: Path, capsys) -> None:
    folder.write_chain(tmp_path / "demo", "binary", 0, folder.curve("binary", 0, 10), target=10)
    (tmp_path / "file").touch()
    assert command([str(tmp_path / "demo"), "--out", str(tmp_path / "file" / "history.csv")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--out" in error


def test_the_default_source_is_the_newest_study_and_paths_are_as_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder.write_chain(Path("runs/demo"), "binary", 0, folder.curve("binary", 0, 20), target=20)
    assert pull.main([]) == 0
    assert Path("history.parquet").is_file()
    checkpoint = find(open_source("runs/demo")).best["arms"]["binary"]["chains"][0]["checkpoint"]
    assert checkpoint.startswith("runs/demo/binary-s0/checkpoints/checkpoint-")


@pytest.mark.parametrize("name", ["history.parquet", "history.csv"])
def test_pull_writes_the_tidy_history(finished: Path, tmp_path: Path, name: str) -> None:
    assert pull.main([str(finished), "--out", str(tmp_path / "deep" / name)]) == 0
    read = pd.read_parquet if name.endswith("parquet") else pd.read_csv
    frame = read(tmp_path / "deep" / name)
    assert frame.columns.tolist() == ["study", "arm", "seed", "run_id", "link", "step", "metric", "value"]
    assert len(frame) == 6 * 80 * 6


def page_of(study: Path) -> str:
    found = find(open_source(str(study)))
    names = [f"curve-{arm}" for arm in found.study.arms]
    return render.pages(found, dict.fromkeys((*names, "shared-scores", "signal", "held-out"), ""), [str(study)]).html


def test_the_commands_shown_are_those_that_were_typed(tmp_path: Path) -> None:
    typed = "python -m ablation.run -m reward=binary,shaped chain.steps=10"
    for arm in folder.ARMS:
        folder.write_chain(tmp_path, arm, 0, folder.curve(arm, 0, 10), target=10, record={"command": typed})
    assert commands(open_source(str(tmp_path)), ["runs/x"]) == [
        typed,
        "python -m ablation.evaluate runs/x",
        "python -m analysis.report runs/x",
    ]
    assert "shows reward and seeds only" not in page_of(tmp_path)


def test_a_command_is_rebuilt_for_chains_that_keep_none_and_the_page_says_what_it_lacks(tmp_path: Path) -> None:
    study, typed = tmp_path / "demo", "python -m ablation.run reward=binary"
    folder.write_chain(study, "binary", 0, folder.curve("binary", 0, 10), target=10, record={"command": typed})
    for seed in (0, 1):
        record = {"command": ""} if seed else {}
        folder.write_chain(study, "shaped", seed, folder.curve("shaped", seed, 10), target=10, record=record)
    rebuilt = "python -m ablation.run -m study=demo reward=shaped seed=0,1"
    assert commands(open_source(str(study)), ["demo"])[:2] == [typed, rebuilt]
    assert "shows reward and seeds only" in page_of(study)


def test_the_reward_that_a_sample_earned_is_shown(tmp_path: Path) -> None:
    chain = folder.write_chain(tmp_path, "shaped", 0, folder.curve("shaped", 0, 10), target=10)
    assert "earned reward" not in page_of(tmp_path)
    folder.write_rollouts(chain, [1, 10], reward__train=0.125)
    assert "6 of 6 tests passed · earned reward 0.125" in page_of(tmp_path)


def test_settings_of_length_and_pick_are_named_apart_from_execution(tmp_path: Path) -> None:
    for arm, steps in (("binary", 10), ("shaped", 20)):
        folder.write_chain(tmp_path, arm, 0, folder.curve(arm, 0, steps), target=steps, runs_dir=arm)
    page = page_of(tmp_path)
    assert "Chains differ in chain.steps (binary: 10, shaped: 20)" in page
    assert page.index(">chain.steps</td>") < page.index(">runs_dir</td>")
    assert "The other execution settings should not change what is learned" in page


def test_arms_that_differ_in_the_reward_alone_need_no_warning(finished: Path) -> None:
    assert find(open_source(str(finished))).differences.warnings == ()


def test_a_pick_that_was_not_evaluated_is_named_with_the_command(finished: Path, tmp_path: Path) -> None:
    study = tmp_path / "demo"
    shutil.copytree(finished, study)
    row = pd.read_csv(study / "report" / "picks.csv").iloc[0]
    (study / "evaluation" / "test" / f"{row['arm']}-s{row['seed']}@{row['step']}.parquet").unlink()
    found = find(open_source(str(study)))
    assert found.problems == (
        f"1 picks have no test scores ({row['arm']}-s{row['seed']}@{row['step']}): "
        f"run `python -m ablation.evaluate {study}`.",
    )
    assert "2 paired seeds" in found.answer[0]


def test_validation_at_saves_has_a_picture_and_a_rule_of_its_own(tmp_path: Path) -> None:
    study = tmp_path / "runs" / "looked"
    for arm in folder.ARMS:
        rows = folder.curve(arm, 0, 80)
        for row in rows[4::5]:
            row |= {"eval/solved": 0.9 if row["step"] == 35 else 0.2, "eval/pass_ratio": 0.5}
        folder.write_chain(study, arm, 0, rows)
    assert report.main([str(study)]) == 0
    svg = (study / "report" / "figures" / "validation.svg").read_text()
    assert "Solved rate of a few validation tasks" in svg
    assert "not smoothed" in svg
    rules = pd.read_csv(study / "report" / "rules.csv")
    assert rules["eval/solved"].tolist() == [35, 35]  # the best save by itself, whatever came before it
    assert "validation.png" in (study / "report" / "report.md").read_text()
