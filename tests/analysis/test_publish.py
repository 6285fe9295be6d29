import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import published_model as made
import pytest
import yaml
from huggingface_hub import ModelCard

import analysis.publishing
from analysis import publish
from analysis.publishing.card import card
from analysis.publishing.facts import _origin
from analysis.publishing.said import say
from analysis.publishing.values import Values

pytestmark = pytest.mark.xdist_group("publish")  # one worker: the fixtures are made once
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@pytest.fixture
def own(tmp_path: Path, study: Path) -> Path:
    """A copy of the study that a test may spoil."""
    return Path(shutil.copytree(study, tmp_path / "runs" / "demo"))


@pytest.fixture(scope="module")
def shipped(study: Path, published: Path) -> dict[str, Any]:
    return json.loads((published / "training_logs" / "best.json").read_text())["arms"]["shaped"]["shipped"]


def table(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "training_logs" / "card_values.json").read_text())


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert publish.main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_plain_transformers_loads_it_in_a_fresh_process(published: Path, model: tuple[Path, int]) -> None:
    code = (
        "import sys; from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1], local_files_only=True)\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], local_files_only=True)\n"
        "ids = model.generate(**tokenizer('def x k', return_tensors='pt'), max_new_tokens=3, min_new_tokens=3)\n"
        "print(model.num_parameters(), tokenizer.decode(ids[0][:3]), ids.shape[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(published)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(model[1]), "def", "x", "k", "6"]


def test_weights_are_the_bytes_of_the_shipped_checkpoint(published: Path, model: tuple[Path, int]) -> None:
    hashes = [hashlib.sha256((f / "model.safetensors").read_bytes()).digest() for f in (published, model[0])]
    assert hashes[0] == hashes[1]


def test_the_repo_is_complete_and_named(published: Path, shipped: dict[str, Any]) -> None:
    assert published.name == f"demo-branches-shaped-{shipped['step']}-0.002M"
    wanted = {"README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"}
    assert wanted <= {path.name for path in published.iterdir()}
    logs = {path.name for path in (published / "training_logs").iterdir()}
    assert {"report.html", "history.csv", "config.yaml", "chain.json", "card_values.json", "figures"} <= logs


def test_results_in_the_metadata_are_those_of_the_samples(
    study: Path, published: Path, shipped: dict[str, Any]
) -> None:
    data = ModelCard.load(published / "README.md").data
    name = f"shaped-s{shipped['seed']}@{shipped['step']}.parquet"
    samples = pd.read_parquet(study / "evaluation" / "test" / name)
    results = {result.metric_type: result for result in data.eval_results or []}
    assert data.model_name == published.name
    assert results["solved"].metric_value == pytest.approx(samples["solved"].mean())
    assert results["pass_ratio"].metric_value == pytest.approx(samples["pass_ratio"].mean())
    by_task = samples.groupby("task_id")["solved"].mean()
    error = by_task.std(ddof=1) / len(by_task) ** 0.5
    assert results["solved"].metric_args["standard_error"] == pytest.approx(error)
    assert results["solved"].dataset_split == "test"


def test_the_card_opens_with_the_score_of_the_shipped_checkpoint(
    study: Path, published: Path, shipped: dict[str, Any]
) -> None:
    own = f"shaped-s{shipped['seed']}@{shipped['step']}"
    solved = pd.read_parquet(study / "evaluation" / "test" / f"{own}.parquet")["solved"].mean()
    text = (published / "README.md").read_text()
    assert float(re.search(r"it solves (\S+)", text)[1]) == pytest.approx(100 * solved, abs=0.051)
    row = next(line for line in text.splitlines() if line.startswith("| **this model**"))
    assert row.split("|")[2].strip() == str(shipped["step"])


def test_a_base_and_tasks_of_this_machine_are_not_claimed_to_be_on_the_hub(published: Path) -> None:
    text = (published / "README.md").read_text()
    data = ModelCard(text).data
    assert (data.base_model, data.datasets) == (None, None)
    assert "pre-trained by this project itself" in text
    assert "`branches`, a local folder" in text


def test_a_base_from_the_hub_is_named_by_its_id(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "copy"))
    path = folder / "training_logs" / "published.json"
    facts = json.loads(path.read_text())
    facts["base"] |= {"origin": "hub", "hub_id": "Qwen/Qwen3-0.6B", "name": "Qwen/Qwen3-0.6B"}
    path.write_text(json.dumps(facts))
    text = card(say(Values(folder)))
    assert ModelCard(text).data.base_model == "Qwen/Qwen3-0.6B"
    assert "pre-trained by this project" not in text


AUDIT = {"state": "ok", "tasks": 550, "left_out": 0, "changed": 0, "fingerprint": "aaaaaaaaaaaa"}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "No audit of the tasks was recorded."),
        ({"audit": AUDIT}, "The tasks are as their audit accepted them."),
        ({"audit": AUDIT | {"state": "none"}}, "**The tasks were never audited**, so some may never score, or always."),
        (
            {"audit": AUDIT | {"state": "changed", "left_out": 50, "changed": 7}},
            "**7 tasks changed since their audit**, which says nothing of them as they are now; 50 of 550 were left",
        ),
        (
            {"prompts": {"style": "chat", "limit": 216, "dropped": {"train": 2, "validation": 0, "test": 1}}},
            "Dropped, because their prompts have more than 216 tokens: 2 of train, 1 of test.",
        ),
        ({"prompts": {"style": "chat", "limit": None, "dropped": {}}}, "trained on messages through its chat template"),
    ],
)
def test_the_card_says_what_was_recorded_of_the_audit_and_of_prompts(published: Path, tmp_path, record, words) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "copy"))
    made.amend(folder / "training_logs", **record)
    text = card(say(Values(folder)))
    assert words in text
    assert ("through its chat template" in text) == ("prompts" in record)
    assert ("Dropped" in text) == bool(record.get("prompts", {}).get("dropped"))


def test_warnings_of_the_report_are_on_the_card(own: Path, tmp_path: Path) -> None:
    for chain in own.glob("*-s*"):
        made.amend(chain, audit=AUDIT | {"state": "none"})
    assert publish.main([str(own), "--arm", "shaped", "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "README.md").read_text()
    assert "- The 550 tasks were never audited" in text.partition("Warnings of the report:")[2]


def test_a_setting_of_several_lines_stays_in_its_row_of_the_card(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "copy"))
    path = folder / "training_logs" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["model"]["prompt"] = {"code": "Do:\n\n{prompt}\na | b"}
    path.write_text(yaml.safe_dump(config))
    assert "| `model.prompt.code` | Do: {prompt} a \\| b |\n" in card(say(Values(folder)))


@pytest.mark.parametrize("rank", [None, 32])
def test_adapters_are_on_the_card_where_they_were_trained(published: Path, tmp_path: Path, rank: int | None) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "copy"))
    path = folder / "training_logs" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["model"]["lora"] = {"rank": rank, "alpha": 16}
    path.write_text(yaml.safe_dump(config))
    text = card(say(Values(folder)))
    assert ("adapters of rank 32 (LoRA), which are merged into these weights" in text) == (rank is not None)
    assert ("| `model.lora.alpha` | 16 |" in text) == (rank is not None)


def test_tasks_from_the_hub_are_named_by_their_id_whatever_was_read_of_them() -> None:
    record = {"origins": {"tasks": "hub"}}
    for path in ("org/name", "hf://datasets/org/name", "hf://datasets/org/name@v1/data/*.parquet"):
        assert _origin("tasks", {"path": path}, record, "")["hub_id"] == "org/name"


def test_every_number_on_the_card_is_in_the_table(published: Path) -> None:
    entries = table(published).values()
    known = {
        n for e in entries for n in NUMBER.findall(f"{e['shown']} {json.dumps(e['key'])} {json.dumps(e['value'])}")
    }
    text = (published / "README.md").read_text()
    assert len(NUMBER.findall(text)) > 50
    assert set(NUMBER.findall(text)) - known == set()


def test_the_template_itself_holds_no_digit() -> None:
    template = (Path(analysis.publishing.__file__).parent / "card.md.j2").read_text()
    assert re.findall(r"\d", re.sub(r"{[{%#].*?[}%#]}", "", template, flags=re.DOTALL)) == []


def test_every_entry_of_the_table_is_found_by_file_and_key(published: Path) -> None:
    for name, entry in table(published).items():
        assert look_up(published / entry["file"], entry["key"]) == pytest.approx(entry["value"]), name


def look_up(path: Path, key: list[Any]) -> Any:
    """The value at a key, read with other code than the publisher's."""
    if path.suffix == ".csv":
        frame = pd.read_csv(path)
        for column, wanted in key[0].items():
            frame = frame[frame[column] == wanted]
        [value] = frame[key[1]].tolist()
        return value
    content = yaml.safe_load(path.read_text())  # JSON is YAML
    for part in key:
        content = content[part]
    return content


def test_what_the_arms_comparison_says_stands_on_the_card(published: Path) -> None:
    frame = pd.read_csv(published / "training_logs" / "comparison.csv")
    words = frame[(frame["checkpoint"] == "pick") & (frame["kind"] == "paired over seeds")]["words"]
    text = (published / "README.md").read_text()
    assert len(words) == 3
    assert all(f"- {sentence}\n" in text for sentence in words)


def test_code_and_machine_are_on_the_card_when_recorded(published: Path) -> None:
    link = json.loads((published / "training_logs" / "chain.json").read_text())["links"][0]
    text = (published / "README.md").read_text()
    assert link["provenance"]["cpu"] in text
    assert (link["provenance"]["code"]["commit"] or "The commit was not recorded.") in text
    assert "What earns how much." in text


def test_no_path_of_this_machine_is_left(study: Path, published: Path) -> None:
    here = str(study.parent.parent).encode()
    assert [path for path in published.rglob("*") if path.is_file() and here in path.read_bytes()] == []
    chain = json.loads((published / "training_logs" / "chain.json").read_text())
    assert chain["base_model"] == "runs/.cache/tiny-0123456789ab"
    assert chain["links"][0]["host"] is None
    changed = json.loads((published / "training_logs" / "published.json").read_text())["changed"]
    assert any("training_logs/report.html: the study's folder is written as runs/demo" in line for line in changed)


def test_an_unknown_arm_is_answered_with_the_list(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected one of binary, shaped; did you mean --arm shaped?" in refusal(capsys, study, "--arm", "shapd")


def test_an_unfinished_study_is_refused(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.amend(own / "binary-s1", status="stopped")
    error = refusal(capsys, own, "--arm", "shaped")
    assert "is not finished" in error
    assert "binary-s1 is stopped" in error


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_missing_evaluation_is_answered_with_its_command(
    split: str, own: Path, shipped: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"shaped-s{shipped['seed']}@{shipped['step']}"
    (own / "evaluation" / split / f"{name}.parquet").unlink()
    error = refusal(capsys, own, "--arm", "shaped")
    assert f"{name} ({split})" in error
    assert f"python -m ablation.evaluate {own}" in error


def test_a_deleted_pick_is_told_and_no_other_step_takes_its_place(
    own: Path, shipped: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = own / f"shaped-s{shipped['seed']}" / "checkpoints" / f"checkpoint-{shipped['step']}"
    shutil.rmtree(checkpoint)
    assert f"{checkpoint} was deleted" in refusal(capsys, own, "--arm", "shaped")


def test_weights_that_were_cut_off_are_refused(
    own: Path, shipped: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = own / f"shaped-s{shipped['seed']}" / "checkpoints" / f"checkpoint-{shipped['step']}" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "is no whole safetensors file" in refusal(capsys, own, "--arm", "shaped")


@pytest.mark.parametrize("name", ["chain.json", "config.yaml"])
def test_a_record_that_cannot_be_read_is_told(
    name: str, own: Path, shipped: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (own / f"shaped-s{shipped['seed']}" / name).write_text("{")
    assert name in refusal(capsys, own, "--arm", "shaped")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "generation_config.json"])
def test_a_checkpoint_without_a_needed_file_is_refused(
    name: str, own: Path, shipped: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (own / f"shaped-s{shipped['seed']}" / "checkpoints" / f"checkpoint-{shipped['step']}" / name).unlink()
    assert f"lacks {name}" in refusal(capsys, own, "--arm", "shaped")


def test_a_published_folder_is_not_written_over(
    study: Path, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (published / "README.md").stat().st_mtime_ns
    for out in (published, published.parent):
        assert publish.main([str(study), "--arm", "shaped", "--out", str(out)]) == 0
        assert "was there already, and is taken as it is" in capsys.readouterr().out
    assert "is not the model repo of this arm" in refusal(capsys, study, "--arm", "binary", "--out", published)
    assert (published / "README.md").stat().st_mtime_ns == before


def test_without_an_arm_every_one_is_published(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main([str(own)]) == 0
    assert [path.name.split("-")[2] for path in sorted((own / "published").iterdir())] == ["binary", "shaped"]
    assert capsys.readouterr().out.count("Model repo: ") == 2
    assert publish.main([str(own)]) == 0
    assert capsys.readouterr().out.count("was there already") == 2
    assert "name one of them with --arm" in refusal(capsys, own, "--repo", "lab/model")


def test_a_secret_in_the_records_stops_it_and_nothing_is_left(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for chain in own.glob("shaped-s*"):
        made.amend_link(chain, cause="failed with hf_" + "a1B2" * 9)
    error = refusal(capsys, own, "--arm", "shaped", "--out", own.parent / "new")
    assert re.search(r"training_logs/chain\.json line \d+: a Hugging Face token", error)
    assert "a1B2" * 2 not in error
    assert {path.name for path in own.parent.iterdir()} == {"demo"}


def test_it_never_imports_torch() -> None:
    code = "import sys, analysis.publish; print([n for n in ('torch', 'transformers', 'trl') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def with_kept_changes(study: Path, text: str) -> str:
    """Lets every chain say that it ran with uncommitted changes, keeps ``text`` as these, and returns their file."""
    name = f"provenance/{'c' * 64}.diff"
    for chain in study.glob("*-s*"):
        code = {"commit": "a" * 40, "dirty": True, "diff_sha256": "c" * 64}
        made.amend_link(chain, provenance={"code": code})
        (chain / "provenance").mkdir()
        (chain / name).write_text(text)
        (chain / "provenance" / f"{'d' * 64}.diff").write_text("of no link")
    return name


def test_uncommitted_changes_are_published_with_the_record_that_names_them(own: Path, tmp_path: Path) -> None:
    name = with_kept_changes(own, "+one = 1\n")
    assert publish.main([str(own), "--arm", "shaped", "--out", str(tmp_path / "out")]) == 0
    logs = tmp_path / "out" / "training_logs"
    assert (logs / name).read_text() == "+one = 1\n"
    assert [path.name for path in (logs / "provenance").iterdir()] == [Path(name).name]
    assert f"`{'c' * 64}`, [kept](training_logs/{name})" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("line", "kind"), [("token = 'hf_" + "a1B2" * 9 + "'", "a Hugging Face token"), ("/home/me/x", "a local path")]
)
def test_uncommitted_changes_with_a_secret_are_not_published(
    line: str, kind: str, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = with_kept_changes(own, f"# said\n+{line}\n")
    error = refusal(capsys, own, "--arm", "shaped", "--out", tmp_path / "out")
    assert f"training_logs/{name} line 2: {kind}" in error
    assert "uncommitted changes may be deleted from provenance/ in the chain's folder" in error
    assert not (tmp_path / "out").exists()
    for chain in own.glob("*-s*"):
        shutil.rmtree(chain / "provenance")
    assert publish.main([str(own), "--arm", "shaped", "--out", str(tmp_path / "out")]) == 0


def test_the_card_names_the_command_that_repeats_the_chain(published: Path) -> None:
    text = (published / "README.md").read_text().partition("## How to reproduce")[2]
    assert f"\npython -m ablation.repeat {published.name}\n" in text
