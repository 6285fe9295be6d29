"""In which config fields the arms differ, and whether more than the reward does. Pure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import pandas as pd

from analysis.sources.presets import OURS
from analysis.sources.study import Chain

SCIENTIFIC = ("reward", "tasks", "model", "grpo", "sampling")
_PARTS = ("scientific", "length and pick", "execution")
_LENGTH_AND_PICK = ("chain.steps", "chain.save_every", "selection")  # which weights a chain ends up with
_OWN = ("arm", "seed", "study", "run_id")  # a chain's name, which is no setting
# Words in fields of other trainers' configs that name a run, its seed or its place.
_NAMES_OF_RUNS = ("seed", "name", "dir", "path", "run_id", "hub_model_id", "port", "host")
_ABSENT = "(absent)"


class Differences(NamedTuple):
    """Every differing field, and what that means for the comparison.

    ``table`` has the columns field, part ("scientific", "length and pick" or "execution") and one for each
    arm, with values as JSON; an arm whose seeds differ shows all its values.
    """

    table: pd.DataFrame
    warnings: tuple[str, ...]


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """{dotted field: value as JSON}; lists are values, an empty mapping too."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = json.dumps(value, default=str, ensure_ascii=False, sort_keys=True)
    return flat


def differences(chains: Sequence[Chain]) -> Differences:
    """Every field that is not equal in all chains that have a config, scientific ones first."""
    configs = [(chain, flatten(chain.config)) for chain in chains if chain.config]
    fields = sorted({field for _, flat in configs for field in flat if field.split(".")[0] not in _OWN})
    foreign = bool(configs) and all(chain.folder is None and chain.trainer != OURS.name for chain, _ in configs)
    if foreign:
        fields = [field for field in fields if not _names_a_run(field)]
    arms = list(dict.fromkeys(chain.arm for chain, _ in configs))
    rows: list[dict[str, str]] = []  # of arms under "arm:" and their names, whatever these are
    warnings: list[str] = []
    for field in fields:
        values = {arm: _values(configs, arm, field) for arm in arms}
        if len({value for of_arm in values.values() for value in of_arm}) < 2:
            continue
        part = _part(field, foreign)
        rows.append({"field": field, "part": part, **{_of(arm): " or ".join(values[arm]) for arm in arms}})
        if part == "scientific" or foreign:
            mixed = [arm for arm in arms if len(values[arm]) > 1]
            warnings.extend(f"Seeds of arm {arm} differ in {field}: they are not one arm." for arm in mixed)
    rows.sort(key=lambda row: (_PARTS.index(row["part"]) if row["part"] in _PARTS else 0, row["field"]))
    more = [row["field"] for row in rows if row["part"] == "scientific" and row["field"].split(".")[0] != "reward"]
    if more and not foreign:
        what = f"{', '.join(more)} {'differs' if len(more) == 1 else 'differ'}"
        warnings.insert(0, f"More than the reward differs: {what} too, and a difference may come from there.")
    warnings.extend(_length_and_pick(rows, arms))
    warnings.extend(_origins(chains))
    table = pd.DataFrame(rows, columns=["field", "part", *map(_of, arms)])
    return Differences(table.set_axis(["field", "part", *arms], axis=1), tuple(warnings))


def _of(arm: str) -> str:
    return f"arm:{arm}"


def _names_a_run(field: str) -> bool:
    return any(
        word in _NAMES_OF_RUNS or word.endswith(("_dir", "_path", "_name", "_seed")) for word in field.split(".")
    )


def _part(field: str, foreign: bool = False) -> str:
    if foreign:
        return "setting"
    if field.split(".")[0] in SCIENTIFIC:
        return _PARTS[0]
    return _PARTS[1] if field in _LENGTH_AND_PICK or field.split(".")[0] in _LENGTH_AND_PICK else _PARTS[2]


def _length_and_pick(rows: Sequence[Mapping[str, str]], arms: Sequence[str]) -> list[str]:
    own = [row for row in rows if row["part"] == _PARTS[1]]
    if not own:
        return []
    values = [f"{row['field']} ({', '.join(f'{arm}: {row[_of(arm)]}' for arm in arms)})" for row in own]
    return [
        f"Chains differ in {', '.join(values)}: how long a chain trains and which of its checkpoints may be picked "
        "change its result, so compare chains with one value of each."
    ]


def _origins(chains: Sequence[Chain]) -> list[str]:
    """Sentences on tasks, base models, prompts and sandboxes that are not the same in all chains that name theirs."""
    found = {
        "tasks (tasks_fingerprint)": [chain.tasks_fingerprint for chain in chains],
        # A cached base model lies below each study's own runs_dir, under a name that is a hash of its recipe.
        "base model": [PurePath(chain.base_model).name for chain in chains],
        "prompts": [str(chain.prompts.get("fingerprint") or "") for chain in chains],
        "sandbox tier": ["" if chain.tier == "unknown" else chain.tier for chain in chains],
    }
    return [
        f"Chains differ in their {what}: {_who(chains, values)}. A difference may come from there; train them again "
        "on equal terms with `python -m ablation.run -m study=NAME reward=…`."
        for what, values in found.items()
        if len({value for value in values if value}) > 1
    ]


def _who(chains: Sequence[Chain], values: Sequence[str]) -> str:
    """Which chains have which value, an arm standing for all of its chains."""
    said: dict[str, list[str]] = {}
    for arm in dict.fromkeys(chain.arm for chain in chains):
        of_arm = [(chain.name, value) for chain, value in zip(chains, values, strict=True) if chain.arm == arm]
        for value in dict.fromkeys(value for _, value in of_arm if value):
            have = [name for name, other in of_arm if other == value]
            said.setdefault(value, []).extend([arm] if len(have) == len(of_arm) else have)
    return "; ".join(f"{value} in {', '.join(names)}" for value, names in said.items())


def _values(configs: Sequence[tuple[Chain, dict[str, str]]], arm: str, field: str) -> list[str]:
    return sorted({flat.get(field, _ABSENT) for chain, flat in configs if chain.arm == arm})
