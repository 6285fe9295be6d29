"""From a task to what a model is asked, and from what it answers to text. Training and evaluation both come here.

A model whose tokenizer has a chat template is asked in messages. Any other continues a plain prompt: the code that a
task begins, or an instruction after which a fence is opened.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import TemplateError

from ablation.config import ConfigError, PromptConfig
from ablation.tasks.task import Task

CHAT, PLAIN = "chat", "plain"
_FENCE = "\n\n```python\n"
_THOUGHTS = ("reasoning_content", "thinking")  # what templates call the part of a message that holds them
Message = dict[str, str]
Spoken = str | Sequence[Mapping[str, Any]]  # a completion as TRL hands it: text, or the messages of a chat


class Question(NamedTuple):
    """A task as it is put to one model."""

    task: Task
    prompt: str | list[Message]  # as TRL takes it
    text: str  # all that the model reads, template included
    ids: list[int]  # the same as tokens


def style_of(config: PromptConfig, tokenizer: Any) -> str:
    """Whether a model is asked in a chat or plainly; raises ConfigError for what its tokenizer cannot do."""
    template = getattr(tokenizer, "chat_template", None)
    if config.style == CHAT and not template:
        raise ConfigError(
            "model.prompt.style=chat, but the tokenizer of the model has no chat template; type "
            "model.prompt.style=plain, or take a model that was trained to chat."
        )
    style = config.style or (CHAT if template else PLAIN)
    unused = [key for key in ("system", "chat_template_kwargs") if getattr(config, key)] if style == PLAIN else []
    if unused:
        raise ConfigError(
            f"model.prompt.{unused[0]} has no use: the model is asked plainly, "
            f"{'as model.prompt.style says' if config.style else 'because its tokenizer has no chat template'}; "
            f"leave model.prompt.{unused[0]}=null."
        )
    return style


def questions(tasks: Iterable[Task], config: PromptConfig, tokenizer: Any) -> list[Question]:
    """How each task is put to the model with ``tokenizer``; raises ConfigError as ``style_of``, or for its template."""
    tasks = list(tasks)
    if not tasks:
        return []
    if style_of(config, tokenizer) == PLAIN:
        texts = [_plain(task, config) for task in tasks]
        ids = tokenizer(text=texts)["input_ids"]
        return [Question(*each) for each in zip(tasks, texts, texts, ids, strict=True)]
    chats = [_messages(task, config) for task in tasks]
    try:
        # The call by which TRL's GRPOTrainer makes tokens of a chat, and the same for its text.
        texts, ids = (
            tokenizer.apply_chat_template(
                chats,
                add_generation_prompt=True,
                tokenize=tokenize,
                return_dict=tokenize,
                **(config.chat_template_kwargs or {}),
            )
            for tokenize in (False, True)
        )
    except TemplateError as error:
        raise ConfigError(
            f"the chat template of the model refuses its messages ({error}); leave model.prompt.system=null where it "
            "takes no system message, or type model.prompt.style=plain."
        ) from error
    if any(chat[-1]["content"].strip() not in text for chat, text in zip(chats, texts, strict=True)):
        raise ConfigError(
            "the chat template of the model leaves out what is asked, perhaps because it wants images too; type "
            "model.prompt.style=plain, or take a model that chats in text."
        )
    return [Question(*each) for each in zip(tasks, chats, texts, ids["input_ids"], strict=True)]


def spoken_text(question: str, completion: Spoken) -> str:
    """A completion as text, its thoughts between ``<think>`` and ``</think>``.

    Where the text of the question ends in an opened thought, as that of some templates does, the completion begins with
    the same tag: otherwise nothing in a thought that never ends would say that it is one.
    """
    text = completion if isinstance(completion, str) else "".join(_said(message) for message in completion)
    opened = question.rstrip().endswith("<think>") and not text.lstrip().startswith("<think>")
    return f"<think>\n{text}" if opened else text


def continues_code(task: Task) -> bool:
    """Whether a task's prompt is code that begins what it asks for, rather than an instruction in words."""
    for body in ("", "    pass\n", "        pass\n"):
        try:
            tree = ast.parse(f"{task.prompt.rstrip()}\n{body}")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        return any(getattr(node, "name", None) == task.entry_point for node in tree.body)
    return False


def _plain(task: Task, config: PromptConfig) -> str:
    return task.prompt if continues_code(task) else _request(task, config.instruction) + _FENCE


def _messages(task: Task, config: PromptConfig) -> list[Message]:
    request = _request(task, config.code if continues_code(task) else config.instruction)
    system = [{"role": "system", "content": config.system}] if config.system else []
    return [*system, {"role": "user", "content": request}]


def _request(task: Task, text: str) -> str:
    return text.format(prompt=task.prompt.strip("\n"), entry_point=task.entry_point, module=task.module)


def _said(message: Mapping[str, Any]) -> str:
    """A message as text; its thoughts, where its template tells them apart, in front."""
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    thoughts = next((message[name] for name in _THOUGHTS if message.get(name)), "")
    return f"<think>\n{thoughts}\n</think>\n\n{text}" if thoughts else text
