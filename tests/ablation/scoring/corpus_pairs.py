"""The corpus of (reference module, test module) pairs, as it is stored in `corpus/`."""

from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).resolve().parent / "corpus"
SEPARATOR = "# ==== tests ===="
SUFFIX = ".py.txt"


class Pair(NamedTuple):
    """`module` is the reference for `solution.py`, `tests` the source of `test_solution.py`."""

    name: str
    module: str
    tests: str

    @property
    def kind(self) -> str:
        """ "unittest" where a class of the tests derives from unittest's TestCase, else "pytest"."""
        return "unittest" if "unittest.TestCase" in self.tests or "(TestCase)" in self.tests else "pytest"


def read_pair(path: Path) -> Pair:
    """The pair in `path`; ValueError unless the separator stands on exactly one line between two sources."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = [i for i, line in enumerate(lines) if line.strip() == SEPARATOR]
    if len(at) != 1:
        raise ValueError(f"{path} has {len(at)} lines '{SEPARATOR}', expected one between module and tests.")
    module, tests = "".join(lines[: at[0]]), "".join(lines[at[0] + 1 :])
    if not module.strip() or not tests.strip():
        raise ValueError(f"{path} has nothing before or after '{SEPARATOR}'; write a module above and its tests below.")
    return Pair(path.name.removesuffix(SUFFIX), module, tests)


def read_corpus(folder: Path = CORPUS) -> list[Pair]:
    """All pairs of `folder` in the order of their names; ValueError where there is none."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise ValueError(f"No *{SUFFIX} in {folder}, expected the corpus; see its README.md for the form.")
    return [read_pair(path) for path in paths]
