"""What a task's shell scripts say, read without running them. What is not certain is left to a real run."""

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache

_PYTHONS = ("python", "python3")
_RUNNERS = ("pytest", "py.test")
_CONTROL = {"if", "then", "else", "elif", "fi", "do", "done", "while", "{", "}", "!"}
# After these the candidate, the tests and what they find are the same as before.
_PLAIN = {"set", "echo", "printf", "exit", "return", "true", ":", "[", "test", "mkdir"}
_NEUTRAL = _PLAIN | {"cd", "trap", "break", "continue", "command", "for", "hash", "unset", "pip", "pip3", "apt-get"}
_NEUTRAL |= {"apt", "curl", "wget", "sleep", "date", "pwd"}
_VARIABLE = re.compile(r"(\w+)=")
_PATHS = re.compile(r"(PATH|PYTHONPATH|PYTHONDONTWRITEBYTECODE|PYTHONUNBUFFERED|DEBIAN_FRONTEND|(PIP|UV)_\w+)=.*")
_ENTERED = re.compile(r"\S*/bin/activate|\S*/\.local/bin/env|\S*/\.cargo/env")
_OPTIONS = re.compile(
    r"-v+|-q+|-s|-x|-l|-r\w+|--verbose|--quiet|--tb=\w+|--color=\w+|--durations=\d+|--maxfail=\d+|--timeout=\d+"
    r"|--no-header|--showlocals|--capture=\w+|--disable-warnings|--json-report"
    r"|--(?:ctrf|junit-?xml|json-report-file|rootdir)=\S+"
)
_WITH_VALUE = {"--ctrf", "--junitxml", "--junit-xml", "--rootdir", "--tb", "--timeout", "--maxfail", "-W"}
_HEREDOC = re.compile(
    r"^[ \t]*(?:mkdir[ \t]+-p[ \t]+\S+[ \t]*&&[ \t]*)?"
    r"(?:cat|tee)[ \t]*(?:>[ \t]*(?P<first>\S+)[ \t]*)?<<[ \t]*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)"
    r"(?:[ \t]*>[ \t]*(?P<last>\S+))?[ \t]*\n(?P<body>.*?)^(?P=end)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


@lru_cache(maxsize=1000)  # most tasks of a set have the same script
def tested_file(script: str) -> str | None:
    """The name beneath /tests of the one file whose tests are all that ``test.sh`` runs; None when it does anything
    else that could matter, or nothing that is known.
    """
    commands = _commands(script)
    if commands is None:
        return None
    targets: list[str | None] = []
    for words in commands:
        runner = _tests_of(words)
        if runner is not None:
            targets.append(_target(*runner))
        elif not _is_neutral(words):
            return None
    return targets[0] if len(targets) == 1 else None


def written_files(script: str, folder: str) -> dict[str, str] | None:
    """What ``solve.sh`` writes beneath ``folder``, as {path in it: content}.

    None unless all that it does is here-documents that the shell leaves as they are, copies from /solution (whose
    content here is ``@`` and the path in it), and commands without consequence.
    """
    found: dict[str, str] = {}
    for match in _HEREDOC.finditer(script):
        path = match["first"] or match["last"]
        if path is None or (not match["quote"] and re.search(r"[$`\\]", match["body"])):
            return None
        found[_beneath(path, folder)] = match["body"]
    commands = _commands(_HEREDOC.sub("", script))
    if commands is None:
        return None
    for words in commands:
        if words[0] == "cp" and len(words) == 3 and words[1].startswith("/solution/"):
            source, target = words[1].removeprefix("/solution/"), words[2]
            target += source.rpartition("/")[2] if target.endswith("/") else ""
            found[_beneath(target, folder)] = f"@{source}"
        elif words != ["cd", folder] and (words[0] not in _PLAIN or ">" in words):
            return None
    return found


def work_folder(dockerfile: str, script: str) -> str:
    """Where a task works: the image's last WORKDIR, else where ``test.sh`` goes first, else /app."""
    places = re.findall(r"^[ \t]*WORKDIR[ \t]+[\"']?(/[\w./-]*)", dockerfile, re.MULTILINE | re.IGNORECASE)[-1:]
    places += re.findall(r"^[ \t]*cd[ \t]+[\"']?(/[\w./-]+)", script, re.MULTILINE)
    folders = (place.rstrip("/") for place in places)
    return next((folder for folder in folders if folder.partition("/")[2].partition("/")[0] not in _TAKEN), "/app")


_TAKEN = ("", "tests", "logs", "solution", "tmp", "proc", "dev", "run", "etc")


def copied_into_image(dockerfile: str) -> Iterator[tuple[str, str]]:
    """(source, destination) of each plain COPY or ADD of a Dockerfile, as written."""
    joined = dockerfile.replace("\\\n", " ")
    for match in re.finditer(r"^[ \t]*(?:COPY|ADD)[ \t]+(.+)$", joined, re.MULTILINE | re.IGNORECASE):
        words = [word for word in match[1].split() if not word.startswith(("--chown", "--chmod"))]
        if len(words) >= 2 and not words[0].startswith(("--", "[")):
            yield from ((source, words[-1]) for source in words[:-1])


@lru_cache(maxsize=1000)
def _commands(script: str) -> list[list[str]] | None:
    """The simple commands of a script without what holds them together; None when there is more to it than that."""
    if re.search(r"\$\(|`|<<|<\(|>\(|\beval\b|\bexec\b", script):
        return None
    lexer = shlex.shlex(re.sub(r"(?m)(^|\s)#.*$", "", script.replace("\\\n", " ")), posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.wordchars += "$:@%+,^[]{}!"
    lexer.whitespace = " \t\r"
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word and set(word) <= set(";&|\n"):
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:
        return None
    return [words for words in map(_bare, commands) if words]


def _bare(words: list[str]) -> list[str]:
    """A command without keywords and paths set before it, and without redirections to where output is kept.

    Another redirection leaves a ``>`` in it.
    """
    while words and words[0] in _CONTROL:
        words = words[1:]
    if all(_VARIABLE.match(word) for word in words) or words[1:2] == ["()"]:  # assignments, or a function's head
        return []
    while _PATHS.fullmatch(words[0]):
        words = words[1:]
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word and set(word) <= set("<>&"):
            target = next(rest, "")
            if kept and kept[-1] in ("1", "2"):
                kept.pop()
            if not re.fullmatch(r"/logs/.*|/dev/null|&?[12]|\$\w*(REWARD|LOG|CTRF)\w*", target):
                kept.append(">")
        else:
            kept.append(word)
    return kept


def _is_neutral(words: list[str]) -> bool:
    first, rest = words[0], words[1:]
    if ">" in words:
        return False
    if first in ("source", "."):
        return len(rest) == 1 and _ENTERED.fullmatch(rest[0]) is not None
    if first == "export":
        return all(_PATHS.fullmatch(word) for word in rest)
    if first == "tee":
        return all(word.startswith(("/logs/", "-")) for word in rest)
    if first == "sh":  # the end of a pipe from an installer
        return not rest
    if first == "uv":
        return rest[:1] in (["pip"], ["venv"], ["init"], ["add"])
    if first in _PYTHONS:
        return rest[:2] in (["-m", "pip"], ["-m", "venv"])
    if first == "cp":  # within the work folder: another name for what the candidate is
        return len(rest) == 2 and not any(word.startswith(("/tests", "/solution", "/logs", "-")) for word in rest)
    return first in _NEUTRAL


def _tests_of(words: list[str]) -> tuple[str, list[str]] | None:
    """The runner and its arguments, when the command runs tests."""
    if words[0] in _RUNNERS:
        return "pytest", words[1:]
    if words[0] in _PYTHONS and words[1:2] == ["-m"] and words[2:3] in (["pytest"], ["unittest"]):
        return words[2], words[3:]
    if words[0] == "uvx" or words[:2] == ["uv", "run"]:
        for at, word in enumerate(words):
            if word in _RUNNERS and words[at - 1] not in ("--with", "-w", "--from"):
                return "pytest", words[at + 1 :]
    return None


def _target(runner: str, arguments: list[str]) -> str | None:
    """The one file beneath /tests that is named; None when there is more, or an option that selects."""
    files: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            files.append(word.removeprefix("/tests/"))
        elif not _OPTIONS.fullmatch(word):
            return None
    if len(files) != 1 or not re.fullmatch(r"[\w-]+\.py", files[0]):
        return None
    return files[0]


def _beneath(path: str, folder: str) -> str:
    return path.strip("\"'").removeprefix(f"{folder}/").removeprefix("./")
