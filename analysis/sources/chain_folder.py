"""One chain's folder, read: identity, links, checkpoints and stitched history."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from analysis.errors import AnalysisError
from analysis.history import Columns, columns_of, parse_lines, stitch
from analysis.history_plain import parse_plain
from analysis.sources.study import Chain, Link

_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where PyYAML has its C part


class ChainRead(NamedTuple):
    """A chain, its stitched history, and one sentence for whatever was wrong in its folder."""

    chain: Chain
    history: Columns
    problems: tuple[str, ...]


# What an analysis takes from a config as a number, with the least that it may be.
_NUMBERS = (("chain", "steps", 1), ("chain", "save_every", 1), ("selection", "span", 1), ("selection", "skip_first", 0))


def _usable(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The config itself.

    Raises:
        AnalysisError: a number in it that an analysis needs is none.
    """
    for section, name, least in _NUMBERS:
        values = config.get(section)
        if values is not None and not isinstance(values, dict):
            raise AnalysisError(f"{folder.name} was left out: {section} in its config.yaml is no mapping; put it back.")
        value = (values or {}).get(name)
        whole = isinstance(value, int) or (name == "span" and isinstance(value, float))
        if value is not None and (not whole or isinstance(value, bool) or not value >= least):
            raise AnalysisError(
                f"{folder.name} was left out: {section}.{name} in its config.yaml is {value!r}, where a number from "
                f"{least} on is expected; put back what `python -m ablation.run` wrote."
            )
    return config


def is_chain(folder: Path) -> bool:
    """Whether a folder is a chain's: it has a chain.json or a history.jsonl, and is not hidden."""
    hidden = folder.name.startswith(".")
    return not hidden and any((folder / name).is_file() for name in ("chain.json", "history.jsonl"))


def read_chain(folder: Path) -> ChainRead:
    """Everything of one chain's folder but its rollouts.

    Raises:
        AnalysisError: neither chain.json nor config.yaml names the study, the arm and the seed.
    """
    problems: list[str] = []
    state = _mapping(folder, "chain.json", problems)
    config = _usable(folder, _mapping(folder, "config.yaml", problems))
    chain = _chain(folder, state, config, problems)
    history, unread = _read_history(folder)
    return ChainRead(chain, history, (*problems, *unread))


def _read_history(folder: Path) -> tuple[Columns, list[str]]:
    """The stitched values of a ``history.jsonl``, none without one, and sentences on what could not be read."""
    name = f"{folder.name}/history.jsonl"
    try:
        text = (folder / "history.jsonl").read_bytes()
    except OSError as error:
        return columns_of([]), [f"{name} cannot be read ({error.strerror}): no step was logged yet."]
    plain = parse_plain(text)
    if plain is not None:
        return plain, []
    parsed = parse_lines(text, name)
    return columns_of(stitch(parsed.rows)), parsed.problems


def saved_steps(folder: Path, save_every: int | None) -> tuple[list[int], list[str]]:
    """Steps of the complete checkpoints on the save grid, ascending; names of checkpoints off the grid."""
    steps: list[int] = []
    off_grid: list[str] = []
    for path in sorted((folder / "checkpoints").glob("checkpoint-*")):
        number = path.name.removeprefix("checkpoint-")
        whole = number.isascii() and number.isdecimal() and number[0] != "0"
        if not path.is_dir() or not whole or (save_every and int(number) % save_every):
            off_grid.append(path.name)
        else:
            steps.append(int(number))
    return sorted(steps), off_grid


def _chain(folder: Path, state: dict[str, Any], config: dict[str, Any], problems: list[str]) -> Chain:
    identity = _identity(folder, state, config, problems)
    steps = config.get("chain") or {}
    saved, off_grid = saved_steps(folder, steps.get("save_every"))
    for name in off_grid:
        problems.append(f"{folder.name}/checkpoints/{name} is not on the save grid and is no candidate.")
    return Chain(
        **identity,
        run_id=str(state.get("run_id") or folder.name),
        status=str(state.get("status") or "unknown"),
        target_steps=state.get("steps") or steps.get("steps"),
        tier=str(state.get("tier") or "unknown"),
        links=tuple(_link(index, item) for index, item in enumerate(state.get("links") or ())),
        config=config,
        folder=folder,
        saved_steps=tuple(saved),
        command=str(state.get("command") or ""),
        tasks_fingerprint=str(state.get("tasks_fingerprint") or ""),
        base_model=str(state.get("base_model") or ""),
        audit=_recorded(state, "audit"),
        prompts=_recorded(state, "prompts"),
    )


def _recorded(state: dict[str, Any], name: str) -> dict[str, Any]:
    content = state.get(name)
    return content if isinstance(content, dict) else {}


def _identity(folder: Path, state: dict[str, Any], config: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    # Never from the folder's name: names are for people.
    identity = {key: state.get(key, config.get(key)) for key in ("study", "arm", "seed")}
    absent = [key for key, value in identity.items() if value is None]
    if absent:
        raise AnalysisError(
            f"{folder.name} names no {', '.join(absent)} in chain.json or config.yaml and was left out: "
            "start its chain again with `python -m ablation.run`, which writes both."
        )
    for key, value in identity.items():
        if key in config and str(config[key]) != str(value):
            problems.append(f"{folder.name}: chain.json says {key} {value}, config.yaml says {config[key]}.")
    digits = str(identity["seed"]).removeprefix("-")
    if not digits.isdecimal() or int(digits) > 2**32:
        raise AnalysisError(
            f"{folder.name} has the seed {identity['seed']!r} where a whole number is expected and was left out: "
            "start its chain again with `python -m ablation.run`, which writes chain.json and config.yaml."
        )
    return {"study": str(identity["study"]), "arm": str(identity["arm"]), "seed": int(str(identity["seed"]))}


def _link(index: int, item: dict[str, Any]) -> Link:
    versions = {str(name): str(version) for name, version in (item.get("versions") or {}).items()}
    return Link(
        item.get("link", index),
        item.get("start"),
        item.get("end"),
        item.get("cause"),
        item.get("first_step"),
        item.get("last_step"),
        versions,
    )


def _mapping(folder: Path, name: str, problems: list[str]) -> dict[str, Any]:
    """A JSON or YAML file's mapping; empty, with a sentence, when it is absent or unreadable."""
    try:
        text = (folder / name).read_text(encoding="utf-8")
        content = json.loads(text) if name.endswith(".json") else yaml.load(text, _YAML)
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        problems.append(f"{folder.name}/{name} cannot be read ({reason}).")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{folder.name}/{name} is not a mapping and was ignored.")
        return {}
    return content
