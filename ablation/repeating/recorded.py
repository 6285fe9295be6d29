"""What a published model, or a chain's own folder, records of the chain."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ablation.chain_files import is_chain
from ablation.config import Config, ConfigError, parse
from ablation.training.chain import ChainRecord, read_record
from ablation.uncommitted import diff_name

LOGS = "training_logs"  # of a published model
_FILES = ("config.yaml", "chain.json")


class Recorded(NamedTuple):
    """A chain as its files tell it."""

    typed: str  # the folder as it was typed
    logs: Path  # where the files are
    config: Config
    record: ChainRecord
    assumed: tuple[str, ...]  # keys that the configuration lacks, which therefore have their defaults

    @property
    def published(self) -> bool:
        """Whether it comes from a published model, so perhaps from a stranger."""
        return self.logs.name == LOGS

    def diff_of(self, sha256: str) -> Path | None:
        """The file with the uncommitted changes of that hash; None where it was not kept or published."""
        path = self.logs / diff_name(sha256)
        return path if path.is_file() else None


def read_recorded(typed: str) -> Recorded:
    """Returns what the folder ``typed`` records.

    Raises ConfigError when it is neither a published model nor a chain, or was written by a version whose records
    this one does not read.
    """
    logs = _logs(Path(typed))
    record = _record(logs)
    commit = next((link.provenance.get("code", {}).get("commit") for link in reversed(record.links)), None)
    stored = _stored(logs / "config.yaml")
    try:
        config = parse(stored)
    except ConfigError as error:
        raise _other_version(logs / "config.yaml", str(error).split("; see ")[0], commit) from error
    config.arm = config.arm or record.arm
    known = flat(OmegaConf.to_container(stored))
    assumed = tuple(key for key in flat(asdict(config)) if key not in known and key not in ("arm", "plan"))
    return Recorded(typed, logs, config, record, assumed)


def flat(nested: Any, prefix: str = "") -> dict[str, Any]:
    """Returns {dotted key: value} of nested mappings; an empty mapping is a value."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _logs(folder: Path) -> Path:
    for logs in (folder / LOGS, folder):
        if all((logs / name).is_file() for name in _FILES):
            return logs
    chains = sorted(path for path in folder.iterdir() if is_chain(path)) if folder.is_dir() else []
    found = f"holds {len(chains)} chains" if chains else "has no such files" if folder.is_dir() else "is no folder"
    example = chains[0].as_posix() if chains else "runs/STUDY/ARM-sSEED"
    raise ConfigError(
        f"{folder} {found} where the folder of a published model ({LOGS}/chain.json and config.yaml) or of one chain "
        f"is expected; type `python -m ablation.repeat {example}`."
    )


def _record(logs: Path) -> ChainRecord:
    try:
        return read_record(logs)
    except ConfigError as error:
        raise _other_version(logs / "chain.json", str(error.__cause__), None) from error


def _stored(path: Path) -> DictConfig:
    try:
        stored = OmegaConf.load(path)
        if not isinstance(stored, DictConfig):
            raise ValueError("a mapping was expected")
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}); put the file back.") from error
    return stored


def _other_version(path: Path, reason: str, commit: str | None) -> ConfigError:
    where = f"check out the commit {commit}" if commit else "check out the version that trained the chain"
    return ConfigError(f"{path} is not as this version writes it ({reason}); {where} and type the same command there.")
