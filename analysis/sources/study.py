"""What every source of runs gives: a study of chains with their stitched history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd

from ablation import metrics
from analysis.history import Identity
from analysis.sources.naming import Naming


class History(NamedTuple):
    """A tidy frame with the columns of `analysis.history.SCHEMA`, and sentences on what could not be read."""

    frame: pd.DataFrame
    problems: tuple[str, ...]


class Link(NamedTuple):
    """One process or cluster job of a chain; ``end`` and ``cause`` are None while it runs."""

    link: int
    start: str | None
    end: str | None
    cause: str | None
    first_step: int | None
    last_step: int | None
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Chain:
    """One arm with one seed. What a source cannot know is empty (W&B has no checkpoint folders)."""

    study: str
    arm: str
    seed: int
    run_id: str
    status: str  # running, complete, stopped, failed or unknown
    target_steps: int | None
    tier: str  # how candidates were contained
    links: tuple[Link, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    saved_steps: tuple[int, ...] = ()  # complete checkpoints on the save grid, ascending
    arm_in_files: str = ""  # where `arm` was made unique across several studies: its name in the files
    command: str = ""  # what a person typed to train it; empty when it was not kept, as are the next two
    tasks_fingerprint: str = ""  # equal for equal tasks
    base_model: str = ""  # folder or Hub id of the weights that training began with
    audit: Mapping[str, Any] = field(default_factory=dict)  # of its tasks; empty when it was not recorded, as the next
    prompts: Mapping[str, Any] = field(default_factory=dict)  # how tasks are asked, and how many are not
    group: str = ""  # of the W&B run, as are the next two
    job_type: str = ""
    tags: tuple[str, ...] = ()
    reward: str = metrics.REWARD_TRAIN  # the metric that the chain optimises; empty when it is not known
    trainer: str = "ablation"  # what logged it; empty when it is not known
    shared: tuple[str, ...] = ()  # metrics that the user says have one scale in every arm

    @property
    def name(self) -> str:
        return f"{self.arm}-s{self.seed}"

    @property
    def identity(self) -> Identity:
        return Identity(self.study, self.arm, self.seed, self.run_id)

    @property
    def save_every(self) -> int | None:
        """Steps between candidates; None when the config is not known."""
        return (self.config.get("chain") or {}).get("save_every")

    def checkpoint(self, step: int) -> str:
        """Where the weights of a saved step are, as the source was given; empty when not in files."""
        return (self.folder / "checkpoints" / f"checkpoint-{step}").as_posix() if self.folder else ""


@dataclass(frozen=True)
class Study:
    """Chains compared together, in order of arm and seed, with their history in one frame."""

    name: str
    folder: Path | None
    chains: tuple[Chain, ...]
    history: History

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(chain.arm for chain in self.chains))


class Reader(Protocol):
    """One kind of source: a module with these two functions."""

    def recognises(self, source: str) -> bool:
        """Whether this reader is the one for ``source``, judged without reading much."""
        ...

    def read(self, source: str, naming: Naming) -> Study:
        """The study at ``source``; raises AnalysisError when there is none."""
        ...
