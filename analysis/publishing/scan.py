"""What must not leave this machine: secrets, and paths that say where and by whom something was made."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.errors import AnalysisError
from analysis.publishing.weights import header

_SHOWN = 10  # findings that an error lists


class Kind(NamedTuple):
    """A kind of finding. Lines without any of the ``hints``, in lower case, are not searched: that is much faster."""

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


_HEX40 = r"[0-9a-f]{40}(?![0-9a-zA-Z])"
_START = r"(?<![A-Za-z0-9])"
_KEYS = ("key", "token", "secret", "passw", "login", "wandb")
_PATHS = ("/home/", "/users/", "/scratch/", "/mnt/", "/var/folders/", "/root/", "/tmp/", "\\users\\")
_KINDS = [
    Kind(name, hints, re.compile(pattern, re.ASCII))
    for name, hints, pattern in (
        ("a Hugging Face token", ("hf_", "api_org_"), _START + r"(?:hf_|api_org_)[A-Za-z0-9]{30,}"),
        ("a GitHub token", ("gh", "github_pat_"), _START + r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})"),
        ("an AWS key id", ("akia", "asia"), _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("a W&B key", ("wandb_v",), _START + r"wandb_v\d_\w{30,}"),
        ("a W&B key", _KEYS, rf"(?i:wandb\w*|key|token|login|password)\W{{1,5}}{_HEX40}"),
        ("a private key", ("private key",), r"-----BEGIN [A-Z ]*PRIVATE KEY"),
        (
            "an API key",
            ("sk-", "aiza", "xox"),
            _START + r"(?:sk-[\w-]{20,}|AIza[\w-]{35}|xox[abprs]-[0-9A-Za-z-]{10,})",
        ),
        ("a password in an address", ("://",), r"://[^/\s:@\"'<>]+:[^/\s:@\"'<>]+@"),
        # `eos_token` and its like are no secrets: a bare "token" needs a word before it that says of what.
        (
            "a credential",
            _KEYS,
            r"(?i:api[_-]?key|secret|passwd|password|access[_-]?key(?:[_-]id)?|private[_-]?key"
            r"|(?:hf|hub|auth|access|api|github|gitlab|wandb|bearer)[_-]?token)"
            r"[\"']?\s*[=:]\s*[\"']?[\w\-+/=.~]{8,}",
        ),
        (
            "a local path",
            _PATHS,
            r"(?<![\w./-])(?:file://)?/(?:home|Users|scratch|mnt|var/folders|root|tmp)/[\w.-][^\s\"'<>`,;)\]]*"
            r"|(?<!\w)[A-Za-z]:\\{1,2}Users\\{1,2}[\w.-]+",
        ),
    )
]


class Finding(NamedTuple):
    """One match: the file relative to the folder, the line from 1 on, what it is, and how it begins."""

    file: str
    line: int
    kind: str
    begins: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.kind} ({self.begins})"


def scan(folder: Path, paths: Sequence[Path] = ()) -> list[Finding]:
    """Every secret and local path in every file below ``folder``, in order of file and line.

    ``paths`` are absolute folders that must not be named, whatever they look like; one directly below the root is
    left to the general rule, for `/app` may be any task's. Of weights only the header is read, for the rest is
    numbers; other binary files are read as Latin-1.
    """
    own = [_named(path) for path in paths if len(path.parts) > 2]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        Finding(path.relative_to(folder).as_posix(), number, kind, begins)
        for path in files
        for number, line in enumerate(_lines(path), start=1)
        for kind, begins in _matches(line, [*_KINDS, *own])
    ]


def refuse_findings(folder: Path, study: Path, source: str) -> None:
    """Nothing, when neither a secret nor a path of this machine is below ``folder``.

    Args:
        study: the study's folder, which must not be named either.
        source: where to take findings out of, as the error says it.

    Raises:
        AnalysisError: something was found; it names files and lines.
    """
    findings = scan(folder, [study.resolve(), study.absolute(), Path.cwd(), Path.home(), folder.absolute()])
    if findings:
        more = f"; and {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
        diffs = any(finding.file.endswith(".diff") for finding in findings)
        rest = " (uncommitted changes may be deleted from provenance/ in the chain's folder)" if diffs else ""
        raise AnalysisError(
            f"{len(findings)} secret{'s' if len(findings) > 1 else ''} or local path{'s' if len(findings) > 1 else ''} "
            f"would be published, where none may be ({'; '.join(map(str, findings[:_SHOWN]))}{more}): take them out "
            f"{source}{rest} and type the same command again."
        )


def _named(path: Path) -> Kind:
    text = path.as_posix()
    return Kind("a local path", (text.lower(),), re.compile(rf"(?<![\w.-]){re.escape(text)}(?![\w-])", re.ASCII))


def _lines(path: Path) -> list[str]:
    if path.suffix == ".safetensors":
        return header(path).decode("utf-8", "replace").split("\n")
    content = path.read_bytes()
    try:
        return content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return content.decode("latin-1").split("\n")


def _matches(line: str, kinds: Sequence[Kind]) -> Iterator[tuple[str, str]]:
    lower = line.lower()
    for name, hints, pattern in kinds:
        if any(hint in lower for hint in hints):
            for match in pattern.finditer(line):
                yield name, (match[0] if name == "a local path" else f"{match[0][:6]}…")[:80]
