"""What a person types to repeat a chain elsewhere: execution keys, never another arm or seed."""

import difflib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from ablation.composing import chain_config, compose_config
from ablation.config import SCIENTIFIC_SECTIONS, Config, ConfigError
from ablation.repeating.recorded import Recorded, flat

GROUPS = ("cluster", "generation", "tracking")  # whole ones of conf/ that may be chosen
PLACES = ("model.path", "tasks.path")  # scientific, but they say where the same data are now
_IDENTITY = ("seed", "arm")
_OPEN = ("cluster.env", "cluster.sbatch")  # take further keys


def repeated(record: Recorded, typed: Sequence[str]) -> Config:
    """Returns the configuration of the same chain in a study of its own, with the ``typed`` KEY=VALUE.

    Of a published model neither the lines of shell that another site's jobs began with are taken, nor the consent to
    run candidates without a sandbox.
    Raises ConfigError for an unknown key, for one that would make another chain, and where a cluster must be typed.
    """
    recorded = record.config
    if record.published and recorded.cluster.kind != "local" and "cluster" not in map(_key, typed):
        raise ConfigError(
            f"{record.typed} was trained by jobs of another site (cluster.kind={recorded.cluster.kind}); type "
            "cluster=local, or cluster=slurm with the values of yours."
        )
    config: Any = OmegaConf.create(asdict(recorded) | {"study": f"{recorded.study}-again", "plan": False})
    if record.published:
        config.scoring.sandbox = None
    keys = flat(asdict(recorded))
    for override in sorted(typed, key=lambda text: _key(text) not in GROUPS):  # single keys count more than groups
        key, value = _key(override), override.partition("=")[2]
        if key in GROUPS:
            config[key] = asdict(getattr(compose_config([f"{key}={value}"]), key))
            continue
        _refuse_other_chain(key, override)
        if key not in keys and not key.startswith(tuple(f"{name}." for name in _OPEN)):
            raise ConfigError(_unknown(key, [*keys, *GROUPS]))
        try:
            config = OmegaConf.merge(config, OmegaConf.from_dotlist([f"{key}={value}"]))
        except YAMLError as error:
            raise ConfigError(f"{override} has no value that YAML can read; put it in quotes.") from error
    made = chain_config(config, ())
    before, after = flat(recorded.scientific()), flat(made.scientific())
    for key in before.keys() | after.keys():
        if key not in PLACES and before.get(key) != after.get(key):
            raise _other_arm(key, after.get(key))
    return made


def _key(override: str) -> str:
    key, equals, _ = override.partition("=")
    if not equals or not key.strip("+"):
        raise ConfigError(f"{override} is no KEY=VALUE; type chain.steps=20, say, or plan=true.")
    return key.removeprefix("+")


def _refuse_other_chain(key: str, override: str) -> None:
    if key in SCIENTIFIC_SECTIONS or key == "experiment":
        raise _other_arm(key, override.partition("=")[2])
    if key in _IDENTITY:
        raise ConfigError(
            f"{override} would make another chain than the recorded one, which is what is repeated; train it with "
            f"`python -m ablation.run {override} …`."
        )


def _other_arm(key: str, value: Any) -> ConfigError:
    return ConfigError(
        f"{key}={value} would make another arm than the recorded one, which is what is repeated; train that with "
        f"`python -m ablation.run {key}={value} …`."
    )


def _unknown(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    advice = f"did you mean {close[0]}?" if close else "type `python -m ablation.run --cfg job` for the keys."
    return f"{key} is not a key; {advice}"
