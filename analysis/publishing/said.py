"""Everything that a card says, taken from the published folder's own files. Nothing else reaches the card."""

from collections.abc import Mapping
from typing import Any

from analysis.cells import number, percent
from analysis.differences import SCIENTIFIC
from analysis.held_out import KS, SCORES
from analysis.publishing.facts import FILE
from analysis.publishing.values import Value, Values

_LOGS = "training_logs"
PUBLISHED, CHAIN, CONFIG = f"{_LOGS}/{FILE}", f"{_LOGS}/chain.json", f"{_LOGS}/config.yaml"
BEST, PICKS, HELD_OUT, COMPARISON = (
    f"{_LOGS}/{name}" for name in ("best.json", "picks.csv", "held_out.csv", "comparison.csv")
)
OWN = "1-own"  # of its rows the published checkpoint's: after the base, before other steps of its chain
_SECTIONS = (*(section for section in SCIENTIFIC if section != "tasks"), "selection", "chain")


def say(values: Values) -> dict[str, Value]:
    """Takes everything that the card's template names into ``values``, and returns the table."""
    _identity(values)
    _selection(values)
    _held_out(values)
    _comparison(values)
    _settings(values)
    _provenance(values)
    return values.table


def _identity(v: Values) -> None:
    for name in (
        "name",
        "study",
        "arm",
        "seed",
        "step",
        "size",
        "links",
        "wall_hours",
        "gpu_hours",
        "seed_count",
        "curve",
    ):
        v.take(name, PUBLISHED, name)
    v.take("parameters", PUBLISHED, "parameters", show=lambda count: f"{count:,}")
    for what in ("base", "tasks"):
        for field in ("origin", "name", "hub_id", "identity"):
            v.take(f"{what}.{field}", PUBLISHED, what, field)
    for split in ("train", "validation", "test"):
        _optional(v, f"tasks.{split}", CONFIG, "tasks", split)
    _optional(v, "tasks.manifest", CONFIG, "tasks", "manifest")
    for name in ("state", "tasks", "left_out", "changed"):
        _optional(v, f"audit.{name}", CHAIN, "audit", name)
    for name in ("style", "limit"):
        _optional(v, f"prompts.{name}", CHAIN, "prompts", name)
    dropped = (v.read(CHAIN).get("prompts") or {}).get("dropped") or {}
    for split in (split for split, count in dropped.items() if count):
        v.take(f"dropped.{split}", CHAIN, "prompts", "dropped", split)
    _optional(v, "reward.name", CONFIG, "reward", "name")
    _optional(v, "reward.text", CHAIN, "reward_text", show=_first_line)
    _optional(v, "steps", CHAIN, "steps")
    _optional(v, "tier", CHAIN, "tier")
    for index in range(len(v.read(PUBLISHED, "commands"))):
        v.take(f"commands.{index}", PUBLISHED, "commands", index)
    _optional(v, "repeat", PUBLISHED, "repeat")
    for name in ("warnings", "problems"):
        for index in range(len(v.read(PUBLISHED, name))):
            v.take(f"{name}.{index}", PUBLISHED, name, index)


def _selection(v: Values) -> None:
    v.take("selection.rule", BEST, "rule")
    v.take("selection.by", BEST, "arms", v.read(PUBLISHED, "arm"), "shipped", "by")
    for index, seed in enumerate(v.read(PUBLISHED, "seeds")):
        row = {"arm": v.read(PUBLISHED, "arm"), "seed": seed}
        _pick(v, f"seeds.{index}", row)
        if seed == v.read(PUBLISHED, "seed"):
            _pick(v, "own", row)


def _pick(v: Values, name: str, row: dict[str, Any]) -> None:
    for column in ("seed", "step", "candidates", "steps"):
        v.take(f"{name}.{column}", PICKS, row, column)
    for column in ("score", "noise_sd", "optimism"):
        _number(v, f"{name}.{column}", PICKS, row, column)
    for column in (
        f"{split}_{score}{end}" for split in ("validation", "test") for score in SCORES for end in ("", "_se")
    ):
        _share(v, f"{name}.{column}", PICKS, row, column)


def _held_out(v: Values) -> None:
    own = {"arm": v.read(PUBLISHED, "arm"), "seed": v.read(PUBLISHED, "seed")}
    rows = [row for row in v.read(HELD_OUT) if row["split"] == "test"]
    for mode in ("sampled", "greedy"):
        for row in (row for row in rows if row["mode"] == mode):
            if row["kind"] == "base":
                name = f"{mode}.0-{row['subject']}"
            elif {key: row[key] for key in own} == own:
                name = f"{mode}.{OWN if row['step'] == v.read(PUBLISHED, 'step') else row['subject'].replace('.', '-')}"
            else:
                continue
            _scores(v, name, {"split": "test", "mode": mode, "subject": row["subject"]})


def _scores(v: Values, name: str, row: dict[str, Any]) -> None:
    for column in ("kind", "seed", "step", "tasks", "samples", "unscored"):
        v.take(f"{name}.{column}", HELD_OUT, row, column)
    for column in (*SCORES, *(f"pass_at_{k}" for k in KS)):
        _share(v, f"{name}.{column}", HELD_OUT, row, column)
        _share(v, f"{name}.{column}_se", HELD_OUT, row, f"{column}_se")


def _comparison(v: Values) -> None:
    arm = v.read(PUBLISHED, "arm")
    columns = ("kind", "checkpoint", "metric", "arm_a", "arm_b")
    for index, row in enumerate(v.read(COMPARISON) if v.read(PUBLISHED, "arms") > 1 else []):
        paired = row["kind"] == "paired over seeds" and row["checkpoint"] == "pick"
        if paired and arm in (row["arm_a"], row["arm_b"]):
            v.take(f"comparison.{index}", COMPARISON, {name: row[name] for name in columns}, "words")


def _settings(v: Values) -> None:
    config = v.read(CONFIG)
    adapters = ((config.get("model") or {}).get("lora") or {}).get("rank") is not None
    made_here = v.read(PUBLISHED, "base", "origin") == "made here"
    idle: dict[tuple[str, ...], bool] = {("model", "lora"): not adapters}  # settings without effect
    idle |= dict.fromkeys((("model", "architecture"), ("model", "pretraining")), not made_here)
    if adapters:
        v.take("lora.rank", CONFIG, "model", "lora", "rank")
    for section in _SECTIONS:
        for path in _leaves(config.get(section) or {}, (section,)):
            if not idle.get(path[:2]):
                v.take(f"settings.{len(v.table)}", CONFIG, *path, show=_in_a_cell)
    _optional(v, "evaluation.temperature", CONFIG, "sampling", "temperature")
    _optional(v, "max_completion", CONFIG, "sampling", "max_completion_length")


def _provenance(v: Values) -> None:
    links = v.read(CHAIN, "links")
    last = len(links) - 1
    for index, package in enumerate((links[last].get("versions") or {}) if links else {}):
        v.take(f"versions.{index}", CHAIN, "links", last, "versions", package)
    recorded = (links[last].get("provenance") or {}) if links else {}
    for name in ("python", "platform", "cpu", "cores"):
        if name in recorded:
            v.take(f"machine.{name}", CHAIN, "links", last, "provenance", name)
    for index in range(len(recorded.get("gpus") or ())):
        v.take(f"gpus.{index}", CHAIN, "links", last, "provenance", "gpus", index)
    for name in recorded.get("code") or {}:
        v.take(f"code.{name}", CHAIN, "links", last, "provenance", "code", name)
    for index, name in enumerate(v.read(PUBLISHED).get("diffs") or ()):
        if str((recorded.get("code") or {}).get("diff_sha256")) in name:
            v.take("code.diff", PUBLISHED, "diffs", index)
    if not v.read(PUBLISHED, "same_code"):
        v.take("code.same", PUBLISHED, "same_code")


def _leaves(section: Mapping[str, Any], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The paths of all fields of a section that have a value."""
    found: list[tuple[str, ...]] = []
    for key, value in section.items():
        found += _leaves(value, (*path, key)) if isinstance(value, Mapping) else [(*path, key)]
    return found


def _optional(v: Values, name: str, file: str, *key: str, show: Any = str) -> None:
    """Takes what older or smaller records may lack."""
    content = v.read(file)
    for part in key:
        content = content.get(part) if isinstance(content, Mapping) else None
    if content is not None:
        v.take(name, file, *key, show=show)


def _number(v: Values, name: str, file: str, row: dict[str, Any], column: str) -> None:
    v.take(name, file, row, column, show=number)


def _share(v: Values, name: str, file: str, row: dict[str, Any], column: str) -> None:
    v.take(name, file, row, column, show=lambda share: percent(share, float("nan")))


def _in_a_cell(value: Any) -> str:
    """A setting in a row of a table, which ends with its line."""
    return " ".join(str(value).split()).replace("|", "\\|")


def _first_line(text: str) -> str:
    return text.splitlines()[0]
