"""Where a link came from: the code with its uncommitted changes, the packages, and the machine. No torch."""

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib

import ablation
from ablation.programs import git, output
from ablation.uncommitted import Changes, changes_of

ROOT = Path(ablation.__file__).resolve().parent.parent
PACKAGES = (
    "torch",
    "trl",
    "transformers",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
    "vllm",
    "wandb",
    "hydra-core",
    "numpy",
    "pytest",
)
_COMMIT = re.compile(r"[0-9a-f]{40,64}")  # what else a stranger's record holds might be an option of git


@dataclass(frozen=True)
class Code:
    """A commit and what the work tree adds to it; all None where the code is in no git work tree."""

    commit: str | None = None
    dirty: bool | None = None  # whether tracked files differ from it, or untracked ones that git does not ignore exist
    diff_sha256: str | None = None  # of these differences, which `uncommitted` keeps; None when there are none


@dataclass(frozen=True)
class Provenance:
    """What a link records besides its configuration and its packages."""

    code: Code
    python: str
    platform: str
    cpu: str
    cores: int  # that this process may use
    gpus: tuple[str, ...]  # names of the NVIDIA GPUs that this process may use; AMD's are not looked for


def provenance(code: Code | None = None) -> Provenance:
    """Returns what can be said of this machine and of ``code``, by default that of this package."""
    return Provenance(
        code=code or code_state(ROOT),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu(),
        cores=int(joblib.cpu_count()),
        gpus=_gpus(),
    )


def origin(path: str | None) -> str:
    """Returns where a base model is from: "made here", "local folder" or "hub".

    As in transformers, a folder of that name goes before the Hub.
    """
    if path is None:
        return "made here"
    return "local folder" if path.startswith(("/", ".", "~")) or Path(path).exists() else "hub"


def tasks_origin(path: str | None) -> str:
    """Returns where a task set is from, in the same words; only a place that says so is on the Hub."""
    if path is None:
        return "made here"
    return "hub" if path.startswith("hf://") else "local folder"


def same_code(commits: Iterable[str], root: Path = ROOT) -> bool:
    """Whether what can change a chain is equal in ``commits`` and the present one; not where git does not know."""
    folders = [name for name in ("ablation", "analysis", "conf") if (root / name).is_dir()]
    return all(
        _COMMIT.fullmatch(commit) and git(root, "diff", "--quiet", commit, "HEAD", "--", *folders) is not None
        for commit in commits
    )


def package_versions() -> dict[str, str]:
    """Returns {package: version} of this project and of those in ``PACKAGES`` that are installed."""
    found = {"ablation-harness": ablation.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an optional one
    return found


def code_of(changes: Changes | None) -> Code:
    """Returns what a record says of a work tree; nothing where there is none."""
    if changes is None:
        return Code()
    return Code(changes.commit, changes.sha256 is not None, changes.sha256)


def code_state(root: Path) -> Code:
    """Returns the commit of the work tree that tracks ``root``/ablation, and a hash of what differs from it."""
    return code_of(changes_of(root))


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _gpus() -> tuple[str, ...]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return ()
    chosen = ["-i", visible] if visible else []
    names = output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", *chosen])
    return tuple(line.strip() for line in (names or b"").decode().splitlines() if line.strip())
