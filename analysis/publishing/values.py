"""The table behind a card: everything that it says, by file and key of the published folder.

A key is a list of parts. A text is a field of a JSON or YAML mapping, or a column of a csv row; a number is an
index; a mapping of columns to values selects the one csv row that has them.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from analysis.errors import AnalysisError

FILE = "card_values.json"
Part = str | int | Mapping[str, Any]


@dataclass(frozen=True)
class Value:
    """One thing that a card says: where it was read, what was there, and how it is printed."""

    file: str
    key: tuple[Part, ...]
    value: Any
    shown: str

    def __str__(self) -> str:
        return self.shown

    @property
    def label(self) -> str:
        """The fields of its key, joined by dots: what a setting is called."""
        return ".".join(part for part in self.key if isinstance(part, str))


class Values:
    """Reads values from the files of a folder, and keeps them by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents: dict[str, Any] = {}
        self.table: dict[str, Value] = {}

    def take(self, name: str, file: str, *key: Part, show: Callable[[Any], str] = str) -> bool:
        """Adds what ``key`` leads to in ``file`` under ``name``; False, adding nothing, where that is empty.

        Raises:
            AnalysisError: the file has no such key.
        """
        value = self.read(file, *key)
        if value is None or value in ("", [], {}):
            return False
        self.table[name] = Value(file, key, value, show(value))
        return True

    def read(self, file: str, *key: Part) -> Any:
        """What ``key`` leads to in ``file``; the whole content without a key."""
        if file not in self._contents:
            self._contents[file] = load(self._folder / file)
        return resolve(self._contents[file], key, file)

    def write(self) -> None:
        """Writes the table into the folder's training_logs, one entry for each name."""
        entries = {
            name: {"file": value.file, "key": list(value.key), "value": value.value, "shown": value.shown}
            for name, value in self.table.items()
        }
        text = json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (self._folder / "training_logs" / FILE).write_text(text, encoding="utf-8")


def load(path: Path) -> Any:
    """The content of a .json, .yaml or .csv file; csv cells as numbers, booleans, text, or None when empty."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix == ".yaml":
        return yaml.safe_load(text)
    return [{name: _cell(cell) for name, cell in row.items()} for row in csv.DictReader(text.splitlines())]


def resolve(content: Any, key: Sequence[Part], file: str) -> Any:
    """What ``key`` leads to in ``content``, as `load` returns it.

    Raises:
        AnalysisError: a part leads nowhere, or selects another number of rows than one.
    """
    for position, part in enumerate(key):
        try:
            content = _select(content, part) if isinstance(part, Mapping) else content[part]
        except (KeyError, IndexError, TypeError) as error:
            where = json.dumps(list(key[: position + 1]), ensure_ascii=False)
            raise AnalysisError(
                f"{file} has nothing at {where}, which the card would say; this version cannot publish that record: "
                "evaluate and report on the study again with it."
            ) from error
    return content


def nested(table: Mapping[str, Value]) -> dict[str, Any]:
    """The table as nested mappings, for a template: "seeds.0.step" is under seeds, 0, step."""
    tree: dict[str, Any] = {}
    for name, value in table.items():
        *parents, last = name.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return tree


def _select(rows: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    found = [row for row in rows if all(row[column] == value for column, value in wanted.items())]
    if len(found) != 1:
        raise KeyError(f"{len(found)} rows")
    return found[0]


def _cell(text: str | None) -> Any:
    if not text:
        return None
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
