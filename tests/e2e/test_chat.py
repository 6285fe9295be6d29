"""A model with a chat template, trained and evaluated for real: it is asked in messages, and its answers are scored."""

import json
from pathlib import Path

import pytest

from ablation import config as configuration
from ablation.evaluate import subjects_of
from ablation.held_out import evaluate
from ablation.tasks.load import load_tasks
from ablation.tasks.prompt_lengths import fitting
from ablation.tasks.prompts import Question, questions
from analysis.sources import run_folder
from tests.conftest import command
from tests.e2e.conftest import TINY, Trained
from tests.e2e.test_spine import rollouts, rows

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("training")]
# Its last turn begins with the code that the request holds, so that the tiny model, which only knows how to go on,
# has something to say.
TEMPLATE = (
    "{{ begin }}{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{{ messages[-1].content }}\n{% endif %}"
)
LIMIT = 84  # tokens, which some of the prompts exceed
CHAT = (
    "chain.steps=2",
    "grpo.train_batch_size=16",
    "reward=shaped",
    "study=chat",
    "model.prompt.system=Go on.",
    "model.prompt.code='{prompt}'",
    "model.prompt.chat_template_kwargs={begin: '<|go|>'}",
    f"sampling.max_prompt_length={LIMIT}",
)


@pytest.fixture(scope="module")
def chat(study: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One chain of two steps from the shared base, given a chat template."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = json.loads((study.folder / "shaped-s0" / "chain.json").read_text())["base_model"]
    cwd = tmp_path_factory.mktemp("chat")
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(cwd / "model")
    AutoModelForCausalLM.from_pretrained(source).save_pretrained(cwd / "model")
    ended = command("ablation.run", *TINY, f"model.path={cwd / 'model'}", *CHAT, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Trained(cwd, cwd / "runs" / "chat", ended.stdout + ended.stderr)


def asked(chat: Trained, split: str) -> tuple[dict[str, Question], int]:
    """The questions of a split by task, and how many tasks have none."""
    from transformers import AutoTokenizer

    config = configuration.load(chat.folder / "shaped-s0" / "config.yaml")
    tokenizer = AutoTokenizer.from_pretrained(chat.cwd / "model")
    every = questions(getattr(load_tasks(config.tasks), split), config.model.prompt, tokenizer)
    fitted = fitting(every, LIMIT)
    return {question.task.task_id: question for question in fitted.asked}, len(fitted.too_long)


@pytest.mark.training
def test_rollouts_hold_what_the_model_read_and_said_as_text_and_were_scored(chat: Trained):
    samples = rollouts(chat.folder / "shaped-s0")
    known, _ = asked(chat, "train")
    assert [known[task].text for task in samples["task_id"]] == samples["prompt"].tolist()
    assert samples["prompt"].str.startswith("<|go|><|system|>\nGo on.\n<|user|>\ndef ").all()
    assert not samples["completion"].str.contains("'role'").any()
    assert (samples["status"] == "scored").any()


@pytest.mark.training
def test_trl_reads_every_prompt_whole(chat: Trained):
    known, _ = asked(chat, "train")
    first = rows(chat.folder / "shaped-s0")[0]
    samples = rollouts(chat.folder / "shaped-s0")
    prompts = sum(len(known[task].ids) for task in samples[samples["step"] == 1]["task_id"])
    assert first["train/num_tokens"] == pytest.approx(prompts + 16 * first["train/completions/mean_length"])


@pytest.mark.training
def test_long_prompts_are_said_once_recorded_and_dropped_in_every_split(chat: Trained):
    dropped = {split: asked(chat, split)[1] for split in ("train", "validation", "test")}
    assert dropped["train"] > 0
    record = json.loads((chat.folder / "shaped-s0" / "chain.json").read_text())["prompts"]
    assert (record["style"], record["limit"], record["dropped"]) == ("chat", LIMIT, dropped)
    assert chat.printed.count(f"{sum(dropped.values())} tasks are dropped") == 1


@pytest.mark.training
def test_held_out_tasks_are_asked_in_the_same_way(chat: Trained, tmp_path: Path):
    import pandas as pd

    subjects, _ = subjects_of(run_folder.read(str(chat.folder)))
    last = next(subject for subject in subjects if subject.step == 2)
    evaluate(last, tmp_path)
    scores = pd.read_parquet(tmp_path / "test" / f"{last.name}.parquet")
    assert set(scores["task_id"]) == set(asked(chat, "test")[0])
    assert (scores["status"] == "scored").any()
