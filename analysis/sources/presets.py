"""Which trainer logged a W&B run, told by the keys that are in it. Pure.

TRL: transformers' W&B callback (``train/``); open-r1 trains with TRL and logs the same names. SkyRL and
MarinSkyRL: ``trainer/global_step`` and the reward after shaping. verl: ``training/global_step``. All of them
log the global step as a metric, because W&B's own ``_step`` counts calls and starts again at 0 in every job.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ablation import metrics

_NONE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Preset(NamedTuple):
    """The keys of one trainer. Fields of its config are dotted, and the first that is there counts."""

    name: str
    step: str  # the global step
    reward: str  # the mean reward that its runs optimise
    seeds: tuple[str, ...] = ("seed",)  # fields of the config
    passes_step: bool = False  # whether the trainer gives its global step to run.log as W&B's step too
    saves: tuple[str, ...] = ()  # fields of the config: steps between checkpoints
    health: Mapping[str, tuple[str, ...]] = _NONE  # {what: keys of it}, which mean the same under any reward


OURS = Preset("ablation", metrics.STEP, metrics.REWARD_TRAIN)
USER = Preset("named by the user", "", "")
PRESETS = (
    OURS,  # logs what TRL logs too, so it is asked first
    Preset(
        "SkyRL",
        "trainer/global_step",
        "reward/avg_raw_reward",
        ("trainer.seed", "seed"),
        passes_step=True,
        saves=("trainer.hf_save_interval", "trainer.ckpt_interval"),
        health={
            "completion length (tokens)": ("generate/avg_num_tokens",),
            "entropy": ("policy/policy_entropy",),
            "KL to the reference": ("policy/policy_kl",),
            "gradient norm": ("policy/raw_grad_norm", "policy/grad_norm"),
            "seconds a step": ("timing/step",),
        },
    ),
    Preset(
        "verl",
        "training/global_step",
        "critic/rewards/mean",
        ("data.seed", "trainer.seed", "seed"),
        passes_step=True,
        saves=("trainer.save_freq",),
        health={
            "completion length (tokens)": ("response_length/mean",),
            "entropy": ("actor/entropy", "actor/entropy_loss"),
            "KL to the reference": ("actor/kl_loss", "critic/kl"),
            "gradient norm": ("actor/grad_norm",),
            "seconds a step": ("timing_s/step", "perf/time_per_step"),
        },
    ),
    Preset(
        "TRL",
        "train/global_step",
        "train/reward",
        saves=("save_steps",),
        health={
            "completion length (tokens)": ("train/completions/mean_length", "train/completion_length"),
            "entropy": ("train/entropy",),
            "KL to the reference": ("train/kl",),
            "gradient norm": ("train/grad_norm",),
            "groups without signal": ("train/frac_reward_zero_std",),
            "seconds a step": ("train/step_time",),
        },
    ),
)


def recognise(keys: Collection[str]) -> Preset | None:
    """The preset of a run that logged ``keys``; None when its global step has none of the known names.

    "step" alone is nobody's name, so ours must have its reward too.
    """
    for preset in PRESETS:
        if preset.step in keys and (preset is not OURS or preset.reward in keys):
            return preset
    return None


def named(name: str) -> Preset | None:
    """The preset of a trainer by its name."""
    return next((preset for preset in PRESETS if preset.name == name), None)


def names_of_steps() -> str:
    """The keys of the global step that are recognised, for sentences."""
    return ", ".join(preset.step for preset in PRESETS)
