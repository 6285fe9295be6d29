"""Where a link came from: the code with its uncommitted changes, the packages, and the machine. No torch."""

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib

import ablation

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
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Code:
    """A commit and what the work tree adds to it; all None where the code is in no git work tree."""

    commit: str | None = None
    dirty: bool | None = None  # whether tracked files differ from it, or untracked ones that git does not ignore exist
    diff_sha256: str | None = None  # of these differences; None when there are none


@dataclass(frozen=True)
class Provenance:
    """What a link records besides its configuration and its packages."""

    code: Code
    python: str
    platform: str
    cpu: str
    cores: int  # that this process may use
    gpus: tuple[str, ...]  # names of the NVIDIA GPUs that this process may use; AMD's are not looked for


def provenance(root: Path = ROOT) -> Provenance:
    """Returns what can be said of the code in ``root`` and of this machine."""
    return Provenance(
        code=code_state(root),
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


def package_versions() -> dict[str, str]:
    """Returns {package: version} of this project and of those in ``PACKAGES`` that are installed."""
    found = {"ablation-harness": ablation.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an optional one
    return found


def code_state(root: Path) -> Code:
    """Returns the commit of the work tree that tracks ``root``/ablation, and a hash of what differs from it.

    A package that merely lies inside of someone's repository, as in a virtual environment, has no commit.
    """
    if _git(root, "ls-files", "--error-unmatch", "ablation/__init__.py") is None:
        return Code()
    commit, diff = _git(root, "rev-parse", "HEAD"), _git(root, "diff", "HEAD", "--binary", "--no-ext-diff")
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if commit is None or diff is None or untracked is None:
        return Code()
    digest = hashlib.sha256(diff)
    names = sorted(name for name in untracked.split(b"\0") if name)
    for name in names:
        digest.update(b"\0" + name + b"\0" + _content(root / os.fsdecode(name)))
    dirty = bool(diff or names)
    return Code(commit.decode().strip(), dirty, digest.hexdigest() if dirty else None)


def _content(path: Path) -> bytes:
    """Returns the SHA-256 of a file: untracked ones may be large."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b"unreadable"


def _git(root: Path, *arguments: str) -> bytes | None:
    # A hook of another repository sets these, and git would look there.
    foreign = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    return _output(["git", "-C", str(root), *arguments], environment)


def _output(command: Sequence[str], environment: dict[str, str] | None = None) -> bytes | None:
    """Returns what a program prints; None when it is absent, fails or hangs."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


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
    names = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader", *chosen])
    return tuple(line.strip() for line in (names or b"").decode().splitlines() if line.strip())
