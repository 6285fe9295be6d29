"""From what a user types to the validated configurations of chains, and errors said in a sentence."""

import contextlib
import difflib
import re
import shlex
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import ablation
from ablation.config import SCIENTIFIC_SECTIONS, Config, ConfigError, parse
from ablation.machine import chains_at_once
from ablation.scoring.rewards import reward_function

_PACKAGE = Path(ablation.__file__).parent
# In a wheel the configuration lies in the package, in a checkout beside it.
CONF_DIR = str(next(path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if path.is_dir()))
REFUSED = 2  # exit code of a command whose input cannot be used


OmegaConf.register_new_resolver("chains_at_once", chains_at_once, replace=True)


def chain_config(composed: DictConfig, overrides: Sequence[str] | None = None) -> Config:
    """Returns the validated configuration of one job, its arm named.

    ``overrides`` are those of the sweep, by default of the sweep that this job belongs to.
    """
    config = parse(composed)
    try:
        reward_function(config.reward.name, config.reward.params)
    except ValueError as error:
        raise ConfigError(f"{error}.") from error
    if config.arm is None:
        config.arm = _arm_name(composed, _sweep_overrides() if overrides is None else overrides)
    return config


def compose_config(overrides: Sequence[str]) -> Config:
    """Returns the configuration that ``overrides`` ask for, outside of a Hydra application."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(CONF_DIR, version_base="1.3"):
        return parse(hydra.compose("config", overrides=list(overrides)))


def sweep_configs(hydra_config: DictConfig) -> list[Config]:
    """Returns the configuration of every job of a sweep, in the order in which Hydra starts them."""
    overrides = _swept(hydra_config)
    jobs = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(overrides), None)[0]
    return [chain_config(hydra.compose("config", overrides=job), overrides) for job in jobs]


def _arm_name(composed: DictConfig, overrides: Sequence[str]) -> str:
    """Returns the reward's name and, after it, each other scientific value that the sweep varies."""
    parts = [composed.reward.name]
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key.split(".")[0] not in SCIENTIFIC_SECTIONS or key == "reward" or not override.is_sweep_override():
            continue
        if "." in key:
            value = OmegaConf.select(composed, key)
            parts.append(f"{key.rsplit('.', 1)[-1]}={re.sub('[^A-Za-z0-9._+-]', '_', str(value))}")
        else:
            parts.append(str(composed[key].name))
    return "-".join(parts)


def _sweep_overrides() -> list[str]:
    """Returns the overrides of the sweep that this job belongs to, none for a single run."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode != RunMode.MULTIRUN:
        return []
    return _swept(OmegaConf.load(Path(hydra_config.sweep.dir) / "multirun.yaml").hydra)


def typed_command() -> str:
    """Returns the command that makes this job, with the rest of its sweep."""
    overrides = _sweep_overrides()
    if overrides:
        return _sweep_command(overrides)
    return f"python -m ablation.run {shlex.join(HydraConfig.get().overrides.task)}".rstrip()


def sweep_command(hydra_config: DictConfig) -> str:
    """Returns the command that makes a sweep, with what its experiment adds."""
    return _sweep_command(_swept(hydra_config))


def _sweep_command(overrides: Sequence[str]) -> str:
    return f"python -m ablation.run -m {shlex.join(overrides)}"


def _swept(hydra_config: DictConfig) -> list[str]:
    """Returns what the sweeper multiplies out: its parameters, then the overrides of the command line."""
    params = hydra_config.sweeper.get("params") or {}
    return [f"{key}={value}" for key, value in params.items()] + list(hydra_config.overrides.task)


@contextlib.contextmanager
def report_config_errors(*, everything: bool = False) -> Iterator[None]:
    """Turns what is wrong with a configuration into one sentence on stderr and exit code 2.

    ``everything``: any other exception too ends the program, with its traceback.
    """
    try:
        yield
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {_sentence(error)}", file=sys.stderr)
    except Exception:
        if not everything:
            raise
        traceback.print_exc()
    else:
        return
    sys.exit(REFUSED)


def _sentence(error: Exception) -> str:
    """Returns Hydra's lines as one sentence, with a suggestion for a mistyped option or key."""
    text = " ".join(str(error).split())
    missing = re.search(
        r"Could not find '([^']+)/([^'/]+)' Available options in '[^']+': (.*?)(?: Config search|$)", text
    )
    if missing:
        group, option, available = missing[1], missing[2], missing[3].split()
        close = difflib.get_close_matches(option, available, n=1, cutoff=0.5)
        advice = f"did you mean {group}={close[0]}?" if close else f"type {group}= and one of them."
        return f"{group}={option} is not an option, expected one of {', '.join(available)}; {advice}"
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown and unknown[1] in _known_keys():
        return f"{unknown[1]} takes further keys one by one; type +{unknown[1]}.NAME=VALUE."
    if unknown:
        close = difflib.get_close_matches(unknown[1], _known_keys(), n=1, cutoff=0.5)
        advice = f"did you mean {close[0]}?" if close else "type `python -m ablation.run --cfg job` for the keys."
        return f"{unknown[1]} is not a key; {advice}"
    return f"{text}; type `python -m ablation.run --cfg job` for the keys."


def _known_keys() -> list[str]:
    def flat(node: dict, prefix: str = "") -> list[str]:
        keys = []
        for key, value in node.items():
            keys += [prefix + key] + (flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [])
        return keys

    return flat(asdict(compose_config([])))
