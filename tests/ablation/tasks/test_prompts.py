from pathlib import Path

import pytest
import trl
from chat_tokenizer import CHAT_TEMPLATE, tokenizer
from trl.data_utils import is_conversational

from ablation.config import ConfigError, PromptConfig
from ablation.scoring.extract import extract
from ablation.tasks.prompts import Question, continues_code, questions, spoken_text, style_of
from ablation.tasks.task import Task

CODE = Task("half", 'def half(x):\n    """Half of x."""\n', "half", "")
WORDS = Task("halve", "Halve a number with `half`.\n", "half", "", module="numbers.halves")
FENCE = "```"


def template_of(family: str) -> str:
    """The chat template of a family of models, as TRL ships it."""
    return (Path(trl.__file__).parent / "chat_templates" / f"{family}.jinja").read_text()


def question(task: Task = CODE, template: str | None = CHAT_TEMPLATE, **prompt: object) -> Question:
    return questions([task], PromptConfig(**prompt), tokenizer(template))[0]


def test_a_tokenizer_with_a_chat_template_is_asked_in_messages_that_trl_takes_for_a_chat():
    asked = question(system="You write Python.")
    assert is_conversational({"prompt": asked.prompt})
    assert [message["role"] for message in asked.prompt] == ["system", "user"]
    request = asked.prompt[1]["content"]
    assert f"{FENCE}python\n{CODE.prompt}{FENCE}" in request
    assert "`half` in the Python module `solution`" in request
    assert "one fenced block" in request
    assert asked.text.startswith("<|im_start|>system\nYou write Python.<|im_end|>\n<|im_start|>user\nComplete")
    assert asked.text.endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_an_instruction_is_asked_as_it_is_with_the_module_and_the_name():
    request = question(WORDS).prompt[0]["content"]
    assert request.startswith("Halve a number with `half`.\n\nWrite the Python module `numbers.halves`")
    assert FENCE not in request


def test_a_tokenizer_without_a_chat_template_continues_the_code_itself():
    asked = question(template=None)
    assert (asked.prompt, asked.text) == (CODE.prompt, CODE.prompt)
    assert asked.ids == tokenizer()(CODE.prompt)["input_ids"]


def test_after_an_instruction_a_plain_prompt_opens_the_fence_of_the_answer():
    asked = question(WORDS, template=None)
    assert asked.prompt.startswith("Halve a number")
    assert asked.prompt.endswith(f"\n\n{FENCE}python\n")
    answer = f"def half(x):\n    return x / 2\n{FENCE}\nIt divides by two.\n"
    assert extract(WORDS, spoken_text(asked.text, answer)).source == "def half(x):\n    return x / 2\n"


def test_a_model_that_could_chat_can_be_asked_plainly():
    assert question(style="plain").prompt == CODE.prompt


@pytest.mark.parametrize(
    ("template", "prompt", "words"),
    [
        (None, {"style": "chat"}, "model.prompt.style=plain"),
        (None, {"system": "Be brief."}, "because its tokenizer has no chat template; leave model.prompt.system=null"),
        (CHAT_TEMPLATE, {"style": "plain", "chat_template_kwargs": {"a": 1}}, "as model.prompt.style says"),
        ("{{ raise_exception('no system role') }}", {}, "no system role"),
    ],
)
def test_what_the_tokenizer_cannot_do_is_refused_in_one_sentence(template, prompt, words):
    with pytest.raises(ConfigError) as refusal:
        question(template=template, **prompt)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_tokens_are_those_of_the_text_and_options_reach_the_template():
    asked = question(chat_template_kwargs={"enable_thinking": False})
    assert asked.text.endswith("assistant\n<think>\n</think>\n\n")
    assert tokenizer().decode(asked.ids) == asked.text


@pytest.mark.parametrize(
    ("family", "end", "opens_a_thought"),
    [
        ("qwen2_5", "<|im_start|>assistant\n", False),
        ("qwen3", "<|im_start|>assistant\n", False),
        ("qwen3_5_nothink", "<think>\n\n</think>\n\n", False),
        ("qwen3_8", "<|im_start|>assistant\n<think>\n", True),
        ("deepseek_r1_distill", "<think>\n", True),
        ("llama3", "<|start_header_id|>assistant<|end_header_id|>\n\n", False),
        ("gemma3", "<start_of_turn>model\n", False),
    ],
)
def test_the_templates_of_well_known_models_are_rendered_whole(family, end, opens_a_thought):
    asked = question(template=template_of(family), system="You write Python.")
    assert asked.prompt[-1]["content"] in asked.text
    assert "You write Python." in asked.text
    assert asked.text.endswith(end)
    assert spoken_text(asked.text, "hm").startswith("<think>") is opens_a_thought


@pytest.mark.parametrize(
    ("family", "words"), [("gemma", "System role not supported"), ("smolvlm", "leaves out what is asked")]
)
def test_a_template_that_cannot_carry_the_messages_is_refused(family, words):
    with pytest.raises(ConfigError, match=words):
        question(template=template_of(family), system="You write Python.")


@pytest.mark.parametrize("text", ["{prompt}", "{{}} {prompt} {{}}"])
def test_a_request_keeps_the_braces_of_the_task(text):
    task = Task("t", "Return {'a': {}} for {x}.", "f", "")
    assert task.prompt in question(task, instruction=text).prompt[0]["content"]


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        (CODE.prompt, True),
        ("import math\n\n\nasync def half(x):\n", True),
        ("class half:\n    def method(self):\n", True),
        ("@decorated\ndef half(x):\n    '''Half.'''", True),
        ("Write half(x).\n", False),
        ('"""Write half(x)."""\n', False),
        ("def other(x):\n", False),
        (f"{FENCE}python\ndef half(x):\n{FENCE}\n", False),
    ],
)
def test_code_that_begins_what_is_asked_is_told_from_an_instruction(prompt, code):
    assert continues_code(Task("t", prompt, "half", "")) is code


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("    return x\n", "    return x\n"),
        ([{"role": "assistant", "content": "def half(x): ..."}], "def half(x): ..."),
        ([{"role": "assistant", "content": None}], ""),
        ([{"role": "assistant", "content": [{"type": "text", "text": "a"}]}], "a"),
        ([{"role": "assistant", "reasoning_content": "hm", "content": "a"}], "<think>\nhm\n</think>\n\na"),
    ],
)
def test_a_completion_becomes_text_as_trl_hands_it(completion, text):
    assert spoken_text(CODE.prompt, completion) == text


def test_a_thought_that_the_template_opened_and_nobody_closed_is_no_answer():
    asked = question(chat_template_kwargs={"enable_thinking": True})
    thought = [{"role": "assistant", "content": f"Like\n{FENCE}\ndef half(x):\n    return 0\n{FENCE}\n"}]
    unfinished = spoken_text(asked.text, thought)
    assert unfinished.startswith("<think>\nLike")
    assert extract(CODE, unfinished).status == "no_code"
    thought[0]["content"] += f"</think>\n\n{FENCE}python\ndef half(x):\n    return x / 2\n{FENCE}"
    assert extract(CODE, spoken_text(asked.text, thought)).source == "def half(x):\n    return x / 2\n"
    said = "<think>\nhm\n</think>\n\n    return x\n"  # by a model that opens it again
    assert spoken_text(asked.text, said) == said


def test_the_style_is_the_tokenizers_unless_the_config_says_it():
    assert style_of(PromptConfig(), tokenizer()) == "plain"
    assert style_of(PromptConfig(), tokenizer(CHAT_TEMPLATE)) == "chat"
