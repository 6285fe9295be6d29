"""The tokenizer of the tiny model, trained here, with or without a chat template."""

from functools import lru_cache
from typing import Any

from ablation.composing import compose_config
from ablation.tasks.load import load_every_task

# ChatML, whose last turn may begin with a thought: closed by the template, or left open to the model.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined %}<think>\n{% if not enable_thinking %}</think>\n\n{% endif %}{% endif %}"
    "{% endif %}"
)


@lru_cache
def _trained() -> Any:
    from ablation.training.pretraining import train_tokenizer

    trained = train_tokenizer((task.prompt for task in load_every_task(compose_config([]).tasks).train), 640)
    trained.bos_token = trained.eos_token  # templates of some families begin with it
    return trained


def tokenizer(chat_template: str | None = None) -> Any:
    trained = _trained()
    trained.chat_template = chat_template
    return trained
