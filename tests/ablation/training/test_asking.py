"""How a model is asked is found out in a process of its own, with nothing of a model but its tokenizer and config."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from transformers import Qwen3Config

from ablation import score
from ablation.composing import compose_config
from ablation.config import Config, ConfigError, PromptConfig, RewardConfig
from ablation.tasks.load import TaskSplits, load_tasks
from ablation.tasks.prompt_lengths import Asked
from ablation.training.asking import how_asked
from ablation.training.chain import ChainRecord, refuse_other_data
from ablation.training.links import begin_link
from ablation.training.pretraining import train_tokenizer


@pytest.fixture
def config(tmp_path: Path) -> Config:
    train_tokenizer(["def f(x):\n"], 300).save_pretrained(tmp_path / "model")
    Qwen3Config(max_position_embeddings=1000).save_pretrained(tmp_path / "model")
    small = ("tasks.train=20", "tasks.validation=3", "tasks.test=3")
    return compose_config([f"runs_dir={tmp_path / 'runs'}", f"model.path={tmp_path / 'model'}", *small])


def test_it_is_found_out_once_for_equal_prompts_and_what_is_dropped_is_said_once(config, capsys, monkeypatch):
    found = []

    def find_out(config: Config, model: str, cached: Path) -> None:  # in place of the process, which takes seconds
        found.append(model)
        cached.write_text(json.dumps(asdict(Asked("plain", 130, 140, {"train": 2, "test": 1}, "aaaaaaaaaaaa"))))

    monkeypatch.setenv("ABLATION_SAID", "")
    monkeypatch.setattr("ablation.training.asking._find_out", find_out)
    asked = how_asked(config)
    assert how_asked(replace(config, seed=1, reward=RewardConfig("shaped"))) == asked
    assert found == [config.model.path]
    assert capsys.readouterr().err.count("3 tasks are dropped (2 of train, 1 of test)") == 1
    for other in (
        replace(config, model=replace(config.model, prompt=PromptConfig(style="plain"))),
        replace(config, sampling=replace(config.sampling, max_prompt_length=99)),
        replace(config, tasks=replace(config.tasks, seed=1)),
    ):
        how_asked(other)
    (Path(str(config.model.path)) / "chat_template.jinja").write_text("{{ messages }}")
    how_asked(config)
    assert len(found) == 5


def test_long_prompts_are_refused_in_a_sentence_where_there_is_no_model_to_load(config):
    config.sampling.max_prompt_length, config.sampling.long_prompts = 130, "refuse"
    with pytest.raises(ConfigError, match=r"type sampling\.long_prompts=drop\.$"):
        how_asked(config)


def test_a_tokenizer_that_cannot_be_loaded_is_named(config, capfd):
    (Path(str(config.model.path)) / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match=r"loading the tokenizer of \S+ ended with exit code 1"):
        how_asked(config)
    assert "Error" in capfd.readouterr().err


def test_a_model_that_is_not_here_and_cannot_be_had_is_refused_with_how_to_fetch_it(config, capfd, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config.model.path = "nobody/nothing"
    with pytest.raises(ConfigError, match=r"nobody/nothing is not here .* type `hf download nobody/nothing` \(after"):
        how_asked(config)
    assert "Traceback" not in capfd.readouterr().err


TASKS = TaskSplits([], [], [])
PLAIN, CHAT = Asked("plain", 216, 40, {}, "aaaaaaaaaaaa"), Asked("chat", 216, 90, {}, "bbbbbbbbbbbb")


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (asdict(PLAIN), PLAIN, None),
        (asdict(PLAIN), CHAT, "the style of prompts plain, but now would be with chat"),
        (asdict(CHAT), Asked("chat", 216, 90, {}, "cccccccccccc"), "the prompts bbbbbbbbbbbb, but now would be with"),
        ({}, PLAIN, None),  # a record from before they were recorded: all were plain
        ({}, CHAT, "the style of prompts plain"),
    ],
)
def test_a_chain_does_not_go_on_with_other_prompts(tmp_path, before, now, words):
    config = compose_config(["reward=shaped"])
    record = ChainRecord("study", "shaped", 0, "id", "hash", 80, prompts=before)
    refuse_other_data(tmp_path, record, "base", TASKS, now)  # nothing is trained yet
    begin_link(config, record)
    if words is None:
        refuse_other_data(tmp_path, record, "base", TASKS, now)
        return
    with pytest.raises(ConfigError, match=words):
        refuse_other_data(tmp_path, record, "base", TASKS, now)


def test_what_a_model_is_asked_can_be_looked_at(config, capsys, monkeypatch):
    (Path(str(config.model.path)) / "chat_template.jinja").write_text("<{{ messages[0].content }}>")
    typed = ["--prompt", "kata-test-0000", "tasks=katas", f"model.path={config.model.path}"]
    monkeypatch.setattr("sys.argv", ["score", *typed, "model.prompt.code='Go on: {prompt}'"])
    assert score.main() == 0
    head, _, text = capsys.readouterr().out.partition("\n\n")
    task = load_tasks(compose_config([]).tasks).test[0]
    assert text == f"<Go on: {task.prompt.rstrip()}>\n"
    assert re.fullmatch(r"task      kata-test-0000\nasked     chat, \d+ tokens of at most 960", head)
