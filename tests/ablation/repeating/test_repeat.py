"""What is said before a recorded chain is trained again, and what is refused. Nothing is trained here."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablation import config as configuration
from ablation import repeat
from ablation.composing import compose_config
from ablation.scoring.sandbox import tier_name
from ablation.tasks.load import load_tasks
from ablation.training.base_model import base_model_path
from ablation.training.chain import chain_dir, open_record, write_record
from ablation.training.links import begin_link

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a chain as a link that began has written it."""
    monkeypatch.chdir(tmp_path)
    config = compose_config(["study=first", "reward=shaped", "tasks.validation=6", "tasks.test=6"])
    config.arm = "shaped"
    folder, record, tasks = chain_dir(config), open_record(config), load_tasks(config.tasks)
    folder.mkdir(parents=True)
    begin_link(config, record, folder)
    record.tier, record.tasks_fingerprint, record.audit = tier_name(config), tasks.fingerprint, asdict(tasks.audit)
    record.base_model = base_model_path(config)
    configuration.save(config, folder / "config.yaml")
    write_record(folder, record)
    return folder


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """A function that types the command with ``plan=true``: exit code, what was printed, and the error."""

    def typed(*arguments: object, plan: bool = True) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            repeat.main([*map(str, arguments), *(["plan=true"] if plan else [])])
        said = capsys.readouterr()
        return (
            int(str(ended.value.code)),
            said.out,
            "".join(line for line in said.err.splitlines(True) if "error:" in line),
        )

    return typed


def refusal(command: Command, *arguments: object) -> str:
    code, _, error = command(*arguments)
    assert code == 2
    assert error.count("\n") == 1
    return error


def amend(chain: Path, **changes: Any) -> None:
    record = json.loads((chain / "chain.json").read_text())
    (chain / "chain.json").write_text(json.dumps(record | changes))


def amend_link(chain: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads((chain / "chain.json").read_text())
    for link in record["links"]:
        change(link)
    amend(chain, links=record["links"])


def amend_config(chain: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = yaml.safe_load((chain / "config.yaml").read_text())
    change(config)
    (chain / "config.yaml").write_text(yaml.safe_dump(config))


def row(printed: str, what: str) -> list[str]:
    [line] = [line for line in printed.splitlines() if line.startswith(f"{what} ")]
    return line.removeprefix(what).split()


def test_where_nothing_differs_an_equal_history_is_promised_and_a_plan_trains_nothing(
    chain: Path, command: Command
) -> None:
    code, printed, _ = command(chain)
    assert code == 0
    assert (
        "Nothing differs that can change the result: on a CPU the histories must be equal to the last bit." in printed
    )
    assert "repeated as runs/first-again/shaped-s0." in printed
    assert "Nothing was trained or submitted" in printed
    assert not Path("runs/first-again").exists()


def test_what_was_otherwise_is_said_with_whether_it_matters(chain: Path, command: Command) -> None:
    def older(link: dict[str, Any]) -> None:
        link["versions"] |= {"torch": "2.0.1", "wandb": "0.1"}
        link["provenance"] |= {"python": "3.9.1", "cpu": "6502", "platform": "CP/M"}
        link["provenance"]["code"] = {"commit": "a" * 40, "dirty": True, "diff_sha256": "b" * 64}

    amend_link(chain, older)
    amend(chain, tier="none")
    _, printed, _ = command(chain)
    assert row(printed, "torch")[0] == "2.0.1"
    assert {name: row(printed, name)[-1] for name in ("torch", "wandb", "Python", "CPU", "platform", "commit")} == {
        "torch": "yes", "wandb": "no", "Python": "yes", "CPU": "yes", "platform": "no", "commit": "yes"
    }  # fmt: skip
    assert row(printed, "sandbox tier")[0] == "none"
    assert row(printed, "uncommitted changes")[0] == "b" * 12
    assert f"The uncommitted changes {'b' * 12} were not kept." in printed
    assert (
        "not the same here (commit, uncommitted changes, Python, CPU, torch, sandbox tier) the histories may part"
        in printed
    )


def test_kept_changes_are_named_with_what_takes_them(chain: Path, command: Command) -> None:
    amend_link(chain, lambda link: link["provenance"].update(code={"dirty": True, "diff_sha256": "b" * 64}))
    kept = chain / "provenance" / f"{'b' * 64}.diff"
    kept.parent.mkdir(exist_ok=True)
    kept.touch()
    assert f"are in {kept}: `git apply` takes it" in command(chain)[1]


def test_a_record_without_provenance_is_said_to_have_none(chain: Path, command: Command) -> None:
    amend_link(chain, lambda link: link.pop("provenance"))
    assert row(command(chain)[1], "Python")[:2] == ["not", "recorded"]


def test_on_a_gpu_no_equality_is_promised(chain: Path, command: Command) -> None:
    amend_link(chain, lambda link: link["provenance"].update(gpus=["NVIDIA H200"]))
    printed = command(chain)[1]
    assert row(printed, "GPUs")[:2] == ["NVIDIA", "H200"]
    assert "On a GPU no two runs are equal to the last bit" in printed


def test_other_tasks_are_refused(chain: Path, command: Command) -> None:
    amend(chain, tasks_fingerprint="0123456789ab")
    assert "was trained on the tasks 0123456789ab, but this version makes" in refusal(command, chain)


def test_another_base_model_is_refused(chain: Path, command: Command) -> None:
    amend(chain, base_model="/elsewhere/.cache/tiny-0123456789ab")
    assert "from the base model tiny-0123456789ab, but now would be from tiny-" in refusal(command, chain)


def test_a_base_model_that_is_not_here_is_asked_for(chain: Path, command: Command) -> None:
    amend_config(chain, lambda config: config["model"].update(path="local/large"))
    amend(chain, origins={"base": "local folder", "tasks": "made here"}, base_model="local/large")
    error = refusal(command, chain)
    assert (
        f"local/large holds no model here; say where it is now with `python -m ablation.repeat {chain} model" in error
    )
    model = Path("models/large")
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    printed = command(chain, f"model.path={model}")[1]
    assert "the base model (large) is taken at its name" in printed
    assert row(printed, "model.path")[-1] == "yes"


def test_tasks_that_are_not_here_are_asked_for(chain: Path, command: Command) -> None:
    amend_config(chain, lambda config: config["tasks"].update(name="jsonl", path="local/tasks.jsonl", manifest=None))
    error = refusal(command, chain)
    assert f"say where they are now with `python -m ablation.repeat {chain} tasks.path=…`" in error


@pytest.mark.parametrize(
    "override", ["reward=binary", "grpo.learning_rate=0.1", "tasks.seed=3", "seed=1", "arm=other", "experiment=demo"]
)
def test_what_would_make_another_chain_is_refused(override: str, chain: Path, command: Command) -> None:
    error = refusal(command, chain, override)
    assert "than the recorded one, which is what is repeated" in error
    assert f"`python -m ablation.run {override} …`" in error


def test_a_recorded_value_may_be_typed(chain: Path, command: Command) -> None:
    assert command(chain, "grpo.learning_rate=2e-4", "sampling.temperature=1.0")[0] == 0


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("chain.stepps=3", "chain.stepps is not a key; did you mean chain.steps?"),
        ("chain.steps", "chain.steps is no KEY=VALUE"),
        ("chain.steps=many", "chain.steps cannot be used"),
        ("chain.steps=0", "chain.steps=0 is too small"),
        ("cluster=slrm", "did you mean cluster=slurm?"),
    ],
)
def test_what_is_no_key_or_value_is_refused(override: str, words: str, chain: Path, command: Command) -> None:
    assert words in refusal(command, chain, override)


def test_execution_may_differ_by_key_and_by_whole_group(chain: Path, command: Command) -> None:
    typed = ("cluster.links=2", "cluster=slurm", "+cluster.env.A=1", "chain.steps=20", "study=second", "runs_dir=other")
    code, printed, _ = command(chain, *typed)
    assert code == 0
    assert [row(printed, key) for key in ("cluster.kind", "cluster.links", "cluster.env.A", "chain.steps")] == [
        ["local", "slurm", "no"], ["1", "2", "no"], ["null", "1", "no"], ["80", "20", "no"]
    ]  # fmt: skip
    assert "repeated as other/second/shaped-s0" in printed
    assert "Nothing differs that can change the result" in printed
    assert row(command(chain, "generation=vllm_colocate")[1], "generation.engine")[-1] == "yes"


def test_the_recorded_chain_itself_is_not_trained_on(chain: Path, command: Command) -> None:
    assert "study=first is the recorded chain itself" in refusal(command, chain, "study=first")


def test_a_folder_that_records_no_chain_is_answered_with_one_that_does(chain: Path, command: Command) -> None:
    assert "is no folder where the folder of a published model" in refusal(command, "nowhere")
    assert (
        f"holds 1 chains where the folder of a published model (training_logs/chain.json and config.yaml) or of one "
        f"chain is expected; type `python -m ablation.repeat {chain}`." in refusal(command, chain.parent)
    )


def test_a_configuration_of_another_version_is_told(chain: Path, command: Command) -> None:
    amend_config(chain, lambda config: config["chain"].pop("resume_every"))
    printed = command(chain)[1]
    assert "Its configuration lacks 1 keys, which have their defaults: chain.resume_every." in printed
    amend_config(chain, lambda config: config["grpo"].update(new_key=1))
    amend_link(chain, lambda link: link["provenance"].update(code={"commit": "a" * 40}))
    error = refusal(command, chain)
    assert "config.yaml is not as this version writes it (grpo.new_key cannot be used" in error
    assert f"check out the commit {'a' * 40} and type the same command there." in error


def test_a_record_of_another_version_is_told(chain: Path, command: Command) -> None:
    amend(chain, new_field=1)
    assert "chain.json is not as this version writes it" in refusal(command, chain)


def test_a_strangers_jobs_and_consent_to_no_sandbox_are_not_taken(chain: Path, command: Command) -> None:
    published = Path("model")
    published.mkdir()
    chain.rename(published / "training_logs")
    logs = published / "training_logs"
    amend_config(logs, lambda config: config["scoring"].update(sandbox="none"))
    assert row(command(published)[1], "scoring.sandbox") == ["none", "null", "no"]
    assert row(command(published, "scoring.sandbox=none")[1], "sandbox tier")[1] == "none"
    amend_config(logs, lambda config: config["cluster"].update(kind="slurm", time_min=9, setup=["echo > x"]))
    assert "type cluster=local, or cluster=slurm with the values of yours." in refusal(command, published)
    assert row(command(published, "cluster=local")[1], "cluster.setup") == ["['echo", ">", "x']", "[]", "no"]
