import pytest

from ablation.scoring.extract import MAX_COMPLETION_CHARS, compile_source, extract
from ablation.tasks.task import Task

PROMPT = 'import math\n\n\ndef half(x):\n    """Half of x."""\n'
TASK = Task("t", PROMPT, "half", "")
FENCE = "```"


def value(completion: str, task: Task = TASK):
    """What the extracted function says of 10."""
    candidate = extract(task, completion)
    assert candidate.code, candidate
    namespace: dict = {}
    exec(candidate.code, namespace)
    return namespace[task.entry_point](10)


@pytest.mark.parametrize(
    "completion",
    [
        "    return x / 2\n",
        "\n    return x / 2",
        "    return x / 2\n\n\ndef half_of_half(x):\n    return half(half(x))\n",
        "    return x / 2\n\n\ndef other(half=3):\n    half = 4\n",
        "def half(x):\n    return x / 2\n",
        "from math import floor\n\ndef half(x):\n    return x / 2\n",
        "half = lambda x: x / 2\n",
        f"Here it is:\n{FENCE}python\ndef half(x):\n    return x / 2\n{FENCE}\nEnjoy!",
        f" Here it is:\n{FENCE}\ndef half(x):\n    return x / 2\n{FENCE}",
        f"{FENCE}python\ndef half(x):\n    return x / 2",
        f"{FENCE}python\r\ndef half(x):\r\n    return x / 2\r\n{FENCE}\r\n",
        f"{FENCE}python\n    return x / 2\n{FENCE}",
        f"{FENCE}python\nreturn x / 2\n{FENCE}",
        f"1. Like this:\n   {FENCE}python\n   def half(x):\n       return x / 2\n   {FENCE}\n",
        f"    return x / 2\n{FENCE}\nThis halves x.\n",
        f"    return x / 2\n{FENCE}\nUse it:\n{FENCE}python\nprint(half(3))\n{FENCE}\n",
        f"<think>\n{FENCE}python\ndef half(x):\n    return 0\n{FENCE}\n</think>\n\n{FENCE}python\n"
        f"def half(x):\n    return x / 2\n{FENCE}",
        f"hm</think>{FENCE}\ndef half(x):\n    return x / 2\n{FENCE}".replace(">```", ">\n```"),
        "hm</think>def half(x):\n    return x / 2\n",
        "<think>a <think>b</think> def half(x): return 0\n</think>\ndef half(x):\n    return x / 2\n",
        "<think>\n<think>\na\n</think>\n    return x / 2\n",
        "<think>a</think>\ndef half(x):\n    return x / 2\n<think>check</think>\n",
        f"{FENCE}\ndef half(x):\n    return x / 2\n{FENCE}\n<think>\n{FENCE}\ndef half(x):\n    return 0\n{FENCE}\n",
        "<think>a</think>\ndef half(x):\n    return x / 2\n</think>\n",
        "<think>\nIn `</think>` nothing ends, nor in '</think>' or \"</think>\\n\".\n</think>\n\n    return x / 2\n",
        f"def half(x):\n    return x / 2\n{FENCE}\nThis halves x.\n",
        f"def half(x):\n    return x / 2\n{FENCE}\nUse it:\n{FENCE}python\nfrom solution import half\n{FENCE}\n",
        "return x / 2",
        "y = x / 2\n    return y\n",
    ],
)
def test_the_code_is_found(completion):
    assert value(completion) == 5


@pytest.mark.parametrize("tag", ["'</think>'", '"<think>"', "r'<think>(.*?)</think>'", '"a</think>\\n"'])
def test_a_tag_that_the_code_quotes_is_no_thought(tag):
    assert value(f"{FENCE}python\ndef half(x):\n    return x / 2 if {tag} else 0\n{FENCE}") == 5
    assert value(f"<think>a</think>\n    return x / 2 if {tag} else 0\n") == 5


def test_the_last_fence_that_defines_the_entry_point_counts():
    first = f"{FENCE}\ndef half(x):\n    return 1\n{FENCE}\n"
    second = f"{FENCE}\ndef half(x):\n    return 2\n{FENCE}\n"
    usage = f"{FENCE}\nprint('usage')\n{FENCE}\n"
    assert value(first + second + usage) == 2


def test_what_the_prompt_has_above_the_function_is_there():
    assert value(f"{FENCE}python\ndef half(x):\n    return math.floor(x / 2)\n{FENCE}") == 5


def test_a_prompt_that_is_no_code_does_not_harm_a_whole_module():
    assert value("def half(x):\n    return x / 2\n", Task("t", "Write half, please.\n", "half", "")) == 5


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "  \n\t\n",
        "I cannot help with that.",
        "<think>\nlet me see",
        "<think>a</think>",
        f"<think>a</think><think>\n{FENCE}\ndef half(x):\n    return 0\n{FENCE}\n",
        "hm\n    return x / 2\n</think>\n",
        f"<think>\n{FENCE}\ndef half(x):\n    return 0\n{FENCE}\n",
        f"{FENCE}\n\n{FENCE}",
    ],
)
def test_no_code(completion):
    candidate = extract(TASK, completion)
    assert (candidate.status, candidate.code) == ("no_code", None)
    assert candidate.detail


@pytest.mark.parametrize(
    "completion",
    [
        "    return (x / 2\n",
        f"{FENCE}python\ndef half(x) return x\n{FENCE}",
        "def half(x):\n    return '\0'\n",
        "    return '\ud800'\n",
        f"    return {'(' * 100_000}\n",
        f"    return {'-' * 50_000}x\n",
    ],
)
def test_what_does_not_compile_is_a_syntax_error(completion):
    candidate = extract(TASK, completion)
    assert (candidate.status, candidate.code) == ("syntax_error", None)
    assert candidate.detail


def test_an_endless_completion_is_not_looked_at():
    assert extract(TASK, "    return x\n" * MAX_COMPLETION_CHARS).status == "no_code"


def test_the_source_is_kept_as_it_was():
    assert extract(TASK, "    return x / 2\n").source == PROMPT + "    return x / 2\n"
    assert compile_source("a = 1\n").source == "a = 1\n"
