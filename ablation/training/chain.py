"""A chain's folder: which scientific configuration it belongs to, and the record of its links."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ablation import config as configuration
from ablation import durable
from ablation.config import Config, ConfigError
from ablation.tasks.load import TaskSplits
from ablation.tasks.membership import differences
from ablation.tasks.prompt_lengths import Asked
from ablation.tasks.prompts import PLAIN
from ablation.tracking import run_id
from ablation.training.checkpoints import saved_steps

Status = Literal["new", "running", "complete", "stopped", "failed"]
STOPPED = 3  # exit code of a link that was asked to stop, and saved its state


@dataclass
class LinkRecord:
    """One process of the chain. ``end`` and ``cause`` are null while it runs, and until somebody finds it dead."""

    link: int
    start: str  # ISO 8601, UTC
    pid: int
    host: str
    execution: dict[str, Any]  # the part of the configuration that may differ between links
    versions: dict[str, str]
    provenance: dict[str, Any] = field(default_factory=dict)  # `ablation.provenance.Provenance`; empty in old records
    end: str | None = None
    cause: str | None = None
    first_step: int | None = None
    last_step: int | None = None
    saved_step: int | None = None  # of the newest state when it ended
    status: str = ""  # how it ended: complete | stopped | failed; empty before, and in old records
    automatic: bool = False  # nobody typed it: a successor or a requeued job

    @property
    def reached(self) -> int:
        """The last step that it made, or began after."""
        return self.last_step or self.saved_step or 0


@dataclass
class ChainRecord:
    """What ``chain.json`` says."""

    study: str
    arm: str
    seed: int
    run_id: str
    scientific_hash: str
    steps: int  # how many the chain is to have
    status: Status = "new"
    tier: str = ""  # the containment that candidates run in
    tasks_fingerprint: str = ""
    base_model: str = ""
    command: str = ""  # what a person types to train the study again
    reward_text: str = ""  # the trained reward in words
    origins: dict[str, str] = field(default_factory=dict)  # where "base" and "tasks" are from; empty in old records
    audit: dict[str, Any] = field(default_factory=dict)  # `ablation.tasks.audited.Audited`; empty in old records
    prompts: dict[str, Any] = field(default_factory=dict)  # `ablation.tasks.prompt_lengths.Asked`; empty in old records
    given_up: str = ""  # why no link follows by itself any more; a person's command clears it
    links: list[LinkRecord] = field(default_factory=list)


def chain_dir(config: Config) -> Path:
    return Path(config.runs_dir) / config.study / config.chain_name


def open_record(config: Config) -> ChainRecord:
    """Returns the chain's record, a new one if there is none.

    Raises ConfigError when the folder belongs to another scientific configuration, has more steps than were
    asked for, or holds states of a chain whose record is gone.
    """
    folder = chain_dir(config)
    assert config.arm is not None
    states = saved_steps(folder / "resume")
    if not (folder / "chain.json").exists():
        if states:
            raise ConfigError(
                f"{folder} holds states to resume from but no chain.json that says of what; move the folder away and "
                "run the same command again."
            )
        return ChainRecord(
            config.study, config.arm, config.seed, run_id(config), config.scientific_hash, config.chain.steps
        )
    record = read_record(folder)
    if record.scientific_hash != config.scientific_hash:
        stored = configuration.load(folder / "config.yaml")
        raise ConfigError(
            f"{folder} was trained with {_differences(stored, config)}; put it back, or start another study with "
            f"study={config.study}_2."
        )
    if record.status != "complete" and states and states[-1] > config.chain.steps:
        raise ConfigError(
            f"{folder} already has {states[-1]} steps, more than chain.steps={config.chain.steps}; type "
            f"chain.steps={record.steps} to finish it."
        )
    return record


def is_complete(folder: Path, record: ChainRecord, config: Config) -> bool:
    """Whether the chain has all its steps and every candidate on the grid of ``config``.

    Raises ConfigError when a finished chain lost candidates: they cannot be made again without training it anew.
    """
    if record.status != "complete" or record.steps < config.chain.steps:
        return False
    missing = sorted(set(config.chain.save_grid) - set(saved_steps(folder / "checkpoints")))
    if missing:
        raise ConfigError(
            f"{folder} is complete but lacks the candidates of steps {', '.join(map(str, missing))}; put them back, "
            "or move the folder away and run the same command again."
        )
    return True


def refuse_other_data(folder: Path, record: ChainRecord, base_model: str, tasks: TaskSplits, asked: Asked) -> None:
    """Raises ConfigError when a chain that has begun would go on with other tasks, prompts or another base model."""
    for what, before, now_is in (
        ("tasks", record.tasks_fingerprint, tasks.fingerprint),
        ("base model", Path(record.base_model).name, Path(base_model).name),
        ("style of prompts", record.prompts.get("style", PLAIN), asked.style),  # before it was recorded all were plain
        ("prompts", record.prompts.get("fingerprint", ""), asked.fingerprint),
    ):
        if record.links and before not in ("", now_is):
            changed = differences(folder.parent, before, tasks) if what == "tasks" else ""
            raise ConfigError(
                f"{folder} was trained with the {what} {before}, but now would be with {now_is}"
                f"{f' ({changed})' if changed else ''}; finish it with the data and the version that began it, or "
                "start another study with study=…"
            )


def refuse_other_ranks(folder: Path, record: ChainRecord, config: Config) -> None:
    """Raises ConfigError when a chain that has begun would go on with another number of ranks, which sample apart."""
    for link in record.links[-1:]:
        before = link.execution.get("cluster", {}).get("ranks", 1)
        if before != config.cluster.ranks:
            raise ConfigError(
                f"{folder} was trained by {before} ranks, but now would be by {config.cluster.ranks}, which draw other "
                f"samples; set cluster.ranks={before} to finish it, or start another study with study=…"
            )


def read_record(folder: Path) -> ChainRecord:
    path = folder / "chain.json"
    try:
        content = json.loads(path.read_text())
        links = [LinkRecord(**link) for link in content.pop("links")]
        return ChainRecord(**content, links=links)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}); a chain's record was expected: move the folder {folder} away and "
            "run the same command again."
        ) from error


def write_record(folder: Path, record: ChainRecord) -> None:
    durable.write_text(folder / "chain.json", json.dumps(asdict(record), indent=1) + "\n")


def history_steps(folder: Path, link: int) -> list[int]:
    """Returns the steps that ``history.jsonl`` has of a link, in file order."""
    return [row["step"] for row in history_rows(folder) if row.get("chain/link") == link]


def history_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of ``history.jsonl`` that can be read, in file order."""
    path = folder / "history.jsonl"
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue  # counted and reported by analysis
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                yield row


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _differences(stored: Config, wanted: Config) -> str:
    before, after = _flat(stored.scientific()), _flat(wanted.scientific())
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return ", ".join(f"{key}={before.get(key)} (now {after.get(key)})" for key in changed[:5]) or "other code"


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
