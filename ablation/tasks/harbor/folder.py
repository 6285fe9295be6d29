"""The files of one task folder, and what ``task.toml`` says."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ablation.tasks.reading import TaskError

MAX_BYTES = 16 << 20  # of all files that a task needs here
TIMEOUT_S, MEMORY_MB = 600.0, 2048  # Harbor's own defaults
_PARTS = ("instruction.md", "task.toml", "tests/", "solution/", "environment/")
_UNITS = {"": 1 / (1 << 20), "K": 1 / 1024, "M": 1, "G": 1024, "T": 1 << 20}

Files = Mapping[str, str]  # {path in the task's folder: content, with bytes that are no UTF-8 as surrogates}


@dataclass(frozen=True)
class Settings:
    """What a task says of its verifier."""

    timeout_s: float
    memory_mb: int


def matters(name: str) -> bool:
    """Whether a path in a task's folder is of a file that is used here."""
    return name.startswith(_PARTS) and "__pycache__/" not in name


def read_files(folder: Path, within: Path | None = None) -> dict[str, str]:
    """The files of a task folder that matter here; its links may lead to ``within``, by default the folder itself.

    Raises TaskError.
    """
    allowed = (within or folder).resolve()
    found: dict[str, str] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not matters(name) or not path.is_file():
            continue
        if not path.resolve().is_relative_to(allowed):
            raise TaskError(f"{name} is a link to a place outside of the task's folder; put the file itself there")
        total += path.stat().st_size
        if total > MAX_BYTES:
            raise TaskError(f"its files have more than {MAX_BYTES >> 20} MiB; expected the small files of a task")
        try:
            found[name] = path.read_bytes().decode("utf-8", errors="surrogateescape")
        except OSError as error:
            raise TaskError(f"{name} cannot be read ({error.strerror}); check its permissions") from None
    return found


@lru_cache(maxsize=1000)  # tasks of a set share theirs
def settings(toml: str) -> Settings:
    """Time and memory from ``task.toml``, Harbor's defaults where it says nothing. Raises TaskError."""
    try:
        content = tomllib.loads(toml)
    except (tomllib.TOMLDecodeError, UnicodeEncodeError) as error:
        raise TaskError(f"task.toml does not parse ({error}); expected TOML with [verifier] timeout_sec") from None
    timeout_s = _lookup(content, "verifier", "timeout_sec", TIMEOUT_S)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < float("inf"):
        raise TaskError(f"task.toml says [verifier] timeout_sec = {timeout_s!r}, expected seconds above 0")
    memory = _lookup(content, "environment", "memory_mb", None)
    if memory is None:
        memory = _lookup(content, "environment", "memory", MEMORY_MB)
    return Settings(float(timeout_s), _megabytes(memory))


def _lookup(content: dict[str, Any], section: str, key: str, default: Any) -> Any:
    values = content.get(section, {})
    if not isinstance(values, dict):
        raise TaskError(f"task.toml says {section} = {values!r}, expected a section [{section}]")
    return values.get(key, default)


def _megabytes(value: Any) -> int:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)(?:i?B)?\s*", value, re.IGNORECASE)):
        number, unit = match.groups()
        if number.count(".") <= 1 and number != ".":
            value = float(number) * _UNITS[unit.upper()]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 64 <= value < 1 << 24:
        raise TaskError(f"task.toml says {value!r} for the memory, expected 64 MB or more, such as memory_mb = 2048")
    return int(value)
