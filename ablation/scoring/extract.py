"""From a completion to the source of the module that the tests import.

Runs in the candidate's own process, never in the trainer: a hostile source can stall or crash the compiler.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Literal, NamedTuple

MAX_COMPLETION_CHARS = 1_000_000  # some 250,000 tokens; what is longer is not looked at

_FENCE = re.compile(r"^[ \t]*(`{3,})([^`\n]*)$", re.MULTILINE)
# Compiled here, once: a candidate's process is forked with it and would pay a millisecond for its own.
_DEFINITION = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_INDENTED = re.compile(r"\A(?:[ \t]*\n)*(?: {2,}|\t)\s*\S")
_OPENED = re.compile(r"(?:^|(?<=</think>))[ \t]*<think>", re.MULTILINE)
# One that code or prose quotes is no end: '</think>', "</think>\n", `</think>`. At the end of a line it always is one.
_CLOSED = re.compile(r"</think>(?=[ \t\r]*$)|(?<![\"'`])</think>(?![\"'\\]|`(?!``))", re.MULTILINE)


class Prompt(NamedTuple):
    """What of a task the extraction needs: it runs where the rest of the task must not be."""

    prompt: str  # code that a completion continues
    entry_point: str  # the function or class that it asks for


@dataclass(frozen=True)
class Candidate:
    """The code taken from a completion: compiled, or the reason why there is none."""

    source: str = ""
    code: CodeType | None = None
    status: Literal["no_code", "syntax_error"] | None = None  # None: ``code`` is there
    detail: str = ""


def extract(task: Prompt, completion: str) -> Candidate:
    """The candidate in a completion.

    A completion is a continuation of ``task.prompt`` (its first line indented), or holds fenced code, or is
    a module that defines ``task.entry_point``. Of several fences the last that defines the entry point
    counts, else the last. Code that does not define it is taken as a body that continues the prompt.
    Thoughts (``<think>`` to ``</think>``) are no part of the answer, and what follows one that never ends is none.
    """
    if len(completion) > MAX_COMPLETION_CHARS:
        return Candidate(status="no_code", detail=f"longer than {MAX_COMPLETION_CHARS:,} characters")
    answer = _without_thoughts(completion)
    if not answer.strip():
        return Candidate(status="no_code", detail="the completion is empty")
    fences = list(_fenced(answer))
    if fences:
        before = _before_a_fence(task, answer)
        return before if before and before.code else _from_fence(task, _chosen(task, fences))
    if _INDENTED.match(answer):
        return _first_that_compiles(_as_body(task, answer))
    if _defines(task.entry_point, answer):
        return _first_that_compiles(_as_module(task, answer))
    body = _first_that_compiles(_as_body(task, answer))
    if body.status:
        return Candidate(status="no_code", detail="neither fenced code, nor a definition, nor a continuation")
    return body


def compile_source(source: str) -> Candidate:
    """The candidate of a whole module's source."""
    try:
        return Candidate(source, compile(source, "<solution>", "exec", dont_inherit=True))
    except Exception as error:  # SyntaxError, null bytes, surrogates, nesting that exhausts the compiler
        return Candidate(source, status="syntax_error", detail=f"{type(error).__name__}: {error}")


def _without_thoughts(completion: str) -> str:
    """What a completion says outside of its thoughts. One may have been opened by the prompt, or have no end."""
    tags = sorted([*_OPENED.finditer(completion), *_CLOSED.finditer(completion)], key=lambda tag: tag.start())
    end = len(completion.rstrip())
    said, at, inside, ended = list[str](), 0, False, False
    for tag in tags:
        opens = tag[0].endswith("<think>")
        if inside:
            if opens:
                continue
        elif opens or (ended and tag.end() >= end):  # the latter: a stray tag after the answer
            said.append(completion[at : tag.start()])
        else:
            said.clear()  # the thought began before the completion, or held another one that is closed already
        at, inside, ended = tag.end(), opens, ended or not opens
    return "".join(said if inside else [*said, completion[at:]])


def _before_a_fence(task: Prompt, answer: str) -> Candidate | None:
    """Code above the first fence, where the prompt may have opened a fence itself that bare backticks close."""
    fence = _FENCE.search(answer)
    assert fence is not None
    head = answer[: fence.start()]
    if _INDENTED.match(head):
        return _first_that_compiles(_as_body(task, head))
    if not fence[2].strip() and task.entry_point and _defines(task.entry_point, head):
        return _first_that_compiles(_as_module(task, head))
    return None


def _fenced(text: str) -> Iterator[str]:
    """The inside of each fence, in order; the last may be unclosed."""
    ticks, lines = "", list[str]()
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if not ticks and fence:
            ticks, lines = fence[1], []
        elif ticks and fence and len(fence[1]) >= len(ticks) and not fence[2].strip():
            yield _joined(lines)
            ticks = ""
        elif ticks:
            lines.append(line)
    if ticks:
        yield _joined(lines)


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _chosen(task: Prompt, fences: list[str]) -> str:
    return next((code for code in reversed(fences) if _defines(task.entry_point, code)), fences[-1])


def _defines(name: str, code: str) -> bool:
    return not name or any(name in match.groups() for match in _DEFINITION.finditer(_flush(code)))


def _flush(code: str) -> str:
    """The code without the indentation that a fence in a list gives it."""
    return textwrap.dedent(code) if code.lstrip("\n")[:1].isspace() else code


def _from_fence(task: Prompt, code: str) -> Candidate:
    if not code.strip():
        return Candidate(status="no_code", detail="the fence is empty")
    if _defines(task.entry_point, code):
        return _first_that_compiles(_as_module(task, _flush(code)))
    return _first_that_compiles(_as_body(task, code))


def _as_module(task: Prompt, code: str) -> list[str]:
    # What the prompt has above the function (imports, helpers) is there for the answer to use.
    places = (match.start() for match in _DEFINITION.finditer(task.prompt) if task.entry_point in match.groups())
    head = task.prompt[: next(places, 0)]
    return [head + code, code] if head.strip() else [code]


def _as_body(task: Prompt, code: str) -> list[str]:
    if _INDENTED.match(code):
        return [task.prompt + code]
    last = task.prompt.rstrip().rpartition("\n")[2]
    indent = last[: len(last) - len(last.lstrip())] or "    "
    # Chat models drop the indentation: of every line, or of the first alone.
    return [task.prompt + textwrap.indent(code, indent), task.prompt + indent + code.lstrip()]


def _first_that_compiles(sources: list[str]) -> Candidate:
    candidates = [compile_source(source) for source in sources]
    return next((candidate for candidate in candidates if candidate.code), candidates[-1])
