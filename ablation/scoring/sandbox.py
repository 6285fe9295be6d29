"""The tier of containment that a configuration gets on this machine."""

from ablation.config import Config, ConfigError
from ablation.scoring.containment.choose import choose
from ablation.scoring.containment.tiers import SandboxError


def tier_name(config: Config) -> str:
    """The name of the tier, found by trying it. Raises ConfigError where there is none to be had."""
    try:
        return choose(config.scoring.sandbox).tier.name
    except SandboxError as error:
        raise ConfigError(str(error)) from error
