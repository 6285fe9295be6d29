"""`python -m tests.ablation.scoring.corpus_outcomes OUT.json`: what pytest says of the corpus and its mutants.

The file maps each suite's name to {"key", "kind", "module", "tests", "reference": outcomes, "mutants": [{"module",
"outcomes"}]}. Suites whose key (sources, number and seed of the mutants, Python, pytest) is in the file already are
not run again.
"""

import argparse
import hashlib
import json
import platform
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.ablation.scoring.corpus_pairs import Pair, read_corpus
from tests.ablation.scoring.mutants import mutants
from tests.ablation.scoring.oracle import many_outcomes


def key(pair: Pair, n: int, seed: int, timeout_s: float) -> str:
    """What the stored outcomes of a pair depend on, as a hash."""
    parts = [*pair, n, seed, timeout_s, platform.python_version(), pytest.__version__, mutants(pair.module, n, seed)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def measure(pair: Pair, n: int, seed: int, processes: int, timeout_s: float) -> dict:
    """The file's entry for one pair."""
    modules = [pair.module, *mutants(pair.module, n, seed)]
    results = many_outcomes([(module, pair.tests) for module in modules], processes, timeout_s)
    return {
        "key": key(pair, n, seed, timeout_s),
        "kind": pair.kind,
        "module": pair.module,
        "tests": pair.tests,
        "reference": results[0],
        "mutants": [{"module": m, "outcomes": r} for m, r in zip(modules[1:], results[1:], strict=True)],
    }


def failing(outcomes: dict[str, str]) -> bool:
    """Whether some test neither passed nor was skipped."""
    return not set(outcomes.values()) <= {"passed", "skipped"}


def failing_references(entries: dict[str, dict]) -> list[str]:
    """Names of the suites whose own reference fails a test."""
    return [name for name, entry in entries.items() if failing(entry["reference"])]


def summary(entries: dict[str, dict]) -> str:
    """Counts of suites, tests and mutants, and the names of the suites whose reference fails."""
    runs = [mutant["outcomes"] for entry in entries.values() for mutant in entry["mutants"]]
    said = Counter(outcome for entry in entries.values() for outcome in entry["reference"].values())
    return (
        f"{len(entries)} suites ({dict(Counter(entry['kind'] for entry in entries.values()))}), "
        f"tests on references {dict(said)}, {len(runs)} mutants of which {sum(map(failing, runs))} fail a test; "
        f"references that fail: {', '.join(failing_references(entries)) or 'none'}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs what the file does not hold yet, writes it after each suite, returns 1 where a reference fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the JSON file, outside the repository")
    parser.add_argument("--mutants", type=int, default=2, help="wrong variants of each reference")
    parser.add_argument("--seed", type=int, default=0, help="which variants")
    parser.add_argument("--processes", type=int, default=2, help="pytest processes at once")
    parser.add_argument("--timeout-s", type=float, default=10.0, help="for each pytest process")
    options = parser.parse_args(arguments)
    how = (options.mutants, options.seed)
    old = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    entries: dict[str, dict] = {}
    for pair in read_corpus():
        entry = old.get(pair.name)
        if entry is None or entry["key"] != key(pair, *how, options.timeout_s):
            entry = measure(pair, *how, options.processes, options.timeout_s)
        entries[pair.name] = entry
        _write(options.out, {**old, **entries})
    _write(options.out, entries)
    print(summary(entries))
    return int(bool(failing_references(entries)))


def _write(path: Path, entries: dict[str, dict]) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
