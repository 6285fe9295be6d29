"""What a user says of W&B runs that no preset knows: which keys and fields are step, reward, arm and seed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from analysis.errors import AnalysisError
from analysis.sources.presets import USER, Preset


class Naming(NamedTuple):
    """Keys of metrics and dotted fields of the config; what is empty is recognised, as without a naming."""

    step: str = ""
    reward: str = ""
    shared: tuple[str, ...] = ()  # metrics that have one scale in every arm, and are compared
    arm: str = ""  # field of the config
    seed: str = ""  # field of the config
    run_name: str = ""  # regular expression over the run's name, with the groups arm and seed, or one of them

    def preset(self, recognised: Preset | None) -> Preset | None:
        """The preset with the user's keys in place of its own."""
        if not (self.step or self.reward):
            return recognised
        base = recognised or USER
        changed = base._replace(step=self.step or base.step, reward=self.reward or base.reward)
        return changed if changed.step else None


RECOGNISED = Naming()


def load(path: Path) -> Naming:
    """The naming in a YAML file of the fields of `Naming`.

    Raises:
        AnalysisError: it cannot be read, or says something else.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise AnalysisError(f"{path} cannot be read ({str(error).splitlines()[0]}): {_expected()}.") from error
    unknown = sorted(set(map(str, content)) - set(Naming._fields)) if isinstance(content, Mapping) else [str(content)]
    if unknown:
        raise AnalysisError(f"{path} says {', '.join(unknown)}, which names nothing: {_expected()}.")
    values: dict[str, Any] = dict(content)
    shared = values.pop("shared", [])
    shared = [shared] if isinstance(shared, str) else shared
    of_list = [("shared", one) for one in shared] if isinstance(shared, list) else [("shared", shared)]
    odd = next(((key, value) for key, value in (*values.items(), *of_list) if not isinstance(value, str)), None)
    if odd:
        raise AnalysisError(f"{path} says {odd[0]}: {odd[1]!r}, where a text is expected: {_expected()}.")
    naming = Naming(**values, shared=tuple(shared))
    _check_pattern(naming.run_name, path)
    return naming


def _check_pattern(pattern: str, path: Path) -> None:
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise AnalysisError(
            f"run_name in {path} is no regular expression ({error}): write (?P<arm>.+)-s(?P<seed>[0-9]+)."
        ) from error
    if pattern and not groups & {"arm", "seed"}:
        raise AnalysisError(f"run_name in {path} has no group arm or seed: write (?P<arm>.+)-s(?P<seed>[0-9]+).")


def _expected() -> str:
    return f"expected is YAML with some of {', '.join(Naming._fields)}"


def field(config: Mapping[str, Any], dotted: str) -> Any:
    """A dotted field of a config; None where it has none."""
    value: Any = config
    for key in dotted.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
