"""What every test may need: a small base model, trained once, and components that may be absent."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm_cluster import SlurmCluster, missing, running_cluster

ROOT = Path(__file__).resolve().parent.parent
# Enough pre-training for completions that pass a test now and then, in seconds; by one thread, as others wait for
# each other where more processes run than there are cores.
SMALL = (
    "model.pretraining.threads=1",
    "model.pretraining.steps=120",
    "model.pretraining.warmup_steps=20",
    "model.pretraining.noise=0.1",
    "model.pretraining.learning_rate=3e-3",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; a skip where there is none, a failure where ABLATION_REQUIRE names it."""
    program = shutil.which("chromium")
    if program is None:
        if "chromium" in os.environ.get("ABLATION_REQUIRE", "").split(","):
            pytest.fail("Chromium is required here and was not found; install Debian's package chromium.")
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    return program


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    """A real Slurm, ended afterwards; a skip where it cannot run, a failure where ABLATION_REQUIRE names it."""
    why = missing()
    if why:
        if "slurm" in os.environ.get("ABLATION_REQUIRE", "").split(","):
            pytest.fail(f"Slurm is required here, but {why}.")
        pytest.skip(f"Slurm cannot run here: {why}")
    # Sockets have short names: not below pytest's own folder, which is long.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, running_cluster(Path(folder)) as cluster:
        yield cluster


def command(*arguments: str, cwd: Path, timeout: float = 400, **environment: str) -> subprocess.CompletedProcess:
    """Runs ``python -m`` with ``arguments`` as a user would, in ``cwd``."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
