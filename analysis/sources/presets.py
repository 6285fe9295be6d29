"""Which trainer logged a W&B run, told by the keys that are in it. Pure.

TRL: transformers' W&B callback (``train/``); open-r1 trains with TRL and logs the same names. SkyRL and
MarinSkyRL: ``trainer/global_step`` and the reward after shaping. verl: ``training/global_step``. All of them
log the global step as a metric, because W&B's own ``_step`` counts calls and starts again at 0 in every job.
"""

from collections.abc import Collection
from typing import NamedTuple

from ablation import metrics


class Preset(NamedTuple):
    """The keys of one trainer: of the global step, and of the mean reward that its runs optimise."""

    name: str
    step: str
    reward: str
    seeds: tuple[str, ...] = ("seed",)  # dotted fields of the config, the first that is there counts
    passes_step: bool = False  # whether the trainer gives its global step to run.log as W&B's step too


OURS = Preset("ablation", metrics.STEP, metrics.REWARD_TRAIN)
PRESETS = (
    OURS,  # logs what TRL logs too, so it is asked first
    Preset("SkyRL", "trainer/global_step", "reward/avg_raw_reward", ("trainer.seed", "seed"), passes_step=True),
    Preset(
        "verl", "training/global_step", "critic/rewards/mean", ("data.seed", "trainer.seed", "seed"), passes_step=True
    ),
    Preset("TRL", "train/global_step", "train/reward"),
)


def recognise(keys: Collection[str]) -> Preset | None:
    """The preset of a run that logged ``keys``; None when its global step has none of the known names.

    "step" alone is nobody's name, so ours must have its reward too.
    """
    for preset in PRESETS:
        if preset.step in keys and (preset is not OURS or preset.reward in keys):
            return preset
    return None


def names_of_steps() -> str:
    """The keys of the global step that are recognised, for sentences."""
    return ", ".join(preset.step for preset in PRESETS)
