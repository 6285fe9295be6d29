from dataclasses import asdict, replace

import pytest
from chat_tokenizer import CHAT_TEMPLATE, tokenizer
from transformers import GPT2Config, Qwen3Config

from ablation.composing import compose_config
from ablation.config import Config, ConfigError, SamplingConfig
from ablation.tasks.load import TaskSplits, load_every_task
from ablation.tasks.prompt_lengths import Asked, ask, fitting, limit_of, positions_of
from ablation.tasks.prompts import questions

LONG = "\n".join(f"# {number}" for number in range(200))


def config(*overrides: str) -> Config:
    return compose_config(
        ["grpo.train_batch_size=48", "tasks.train=8", "tasks.validation=3", "tasks.test=3", *overrides]
    )


def splits(**longer: int) -> TaskSplits:
    """Katas, of which the first so many of a split have an endless prompt."""
    every = load_every_task(config().tasks)

    def of_split(split: str) -> list:
        tasks = getattr(every, split)
        count = longer.get(split, 0)
        return [replace(task, prompt=LONG + "\n" + task.prompt) for task in tasks[:count]] + tasks[count:]

    return TaskSplits(of_split("train"), of_split("validation"), of_split("test"))


def test_a_prompt_is_counted_with_its_template_and_kept_whole_or_not_at_all():
    task = splits().train[0]
    plain, chat = (
        questions([task], config().model.prompt, tokenizer(template))[0] for template in (None, CHAT_TEMPLATE)
    )
    assert len(chat.ids) > len(plain.ids) + 50
    for one in (plain, chat):
        assert fitting([one], len(one.ids)) == ([one], [])
        assert fitting([one], len(one.ids) - 1) == ([], [one])
        assert fitting([one], None) == ([one], [])


def test_long_prompts_are_dropped_counted_by_split_and_said():
    asked = ask(config(), splits(train=2, test=1), tokenizer(), 256)
    assert (asked.style, asked.limit, asked.dropped) == ("plain", 216, {"train": 2, "validation": 0, "test": 1})
    assert asked.longest > 216
    assert asked.warning is not None
    assert asked.warning.startswith("3 tasks are dropped (2 of train, 1 of test), because their prompts have more than")
    assert Asked(**asdict(asked)) == asked


def test_what_fits_is_not_spoken_of():
    assert ask(config("sampling.long_prompts=refuse"), splits(), tokenizer(), 256).warning is None


def test_what_is_asked_has_a_fingerprint_and_what_is_dropped_leaves_no_trace_in_it():
    whole = splits()
    without = TaskSplits(whole.train[2:], whole.validation, whole.test)
    fingerprint = ask(config(), without, tokenizer(), 256).fingerprint
    assert ask(config(), splits(train=2), tokenizer(), 256).fingerprint == fingerprint
    assert ask(config(), whole, tokenizer(), 256).fingerprint != fingerprint
    in_chat = config("model.prompt.code='{prompt}'")
    assert ask(in_chat, without, tokenizer(CHAT_TEMPLATE), 256).fingerprint != fingerprint


@pytest.mark.parametrize(
    ("overrides", "longer", "words"),
    [
        (["sampling.long_prompts=refuse"], {"validation": 1}, "1 prompts have more than 216 tokens (that of kata-val"),
        ([], {"validation": 3}, "3 of 3 prompts of the validation split"),
        ([], {"train": 3}, "leaves 5 where 6 are needed"),
    ],
)
def test_what_cannot_be_dropped_is_refused_in_one_sentence(overrides, longer, words):
    with pytest.raises(ConfigError) as refusal:
        ask(config(*overrides), splits(**longer), tokenizer(), 256)
    assert words in str(refusal.value)
    assert "sampling.max_prompt_length" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("longest", "positions", "limit"), [(None, 256, 216), (100, 256, 100), (100, None, 100), (None, None, None)]
)
def test_the_limit_is_what_the_positions_leave_unless_a_lower_one_is_set(longest, positions, limit):
    assert limit_of(SamplingConfig(max_prompt_length=longest), positions) == limit


def test_prompt_and_completion_that_exceed_the_positions_are_refused():
    with pytest.raises(ConfigError, match=r"set sampling\.max_prompt_length=216 or less"):
        limit_of(SamplingConfig(max_prompt_length=217), 256)
    with pytest.raises(ConfigError, match=r"leaves no room for a prompt in the 256 positions"):
        limit_of(SamplingConfig(max_completion_length=256), 256)


def test_positions_are_read_under_whatever_name_a_model_has_them():
    assert positions_of(Qwen3Config(max_position_embeddings=77)) == 77
    assert positions_of(GPT2Config(n_positions=78)) == 78
