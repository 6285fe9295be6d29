"""A small base model and tasks that take their time, for chains that run as jobs of a real Slurm."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from ablation.composing import compose_config
from ablation.tasks.load import load_tasks
from ablation.training.base_model import ensure_base_model
from tests.conftest import SMALL, command
from tests.e2e.commands import environment_of
from tests.slurm_cluster import SlurmCluster

# A step of 16 completions, scored one after the other, takes some four seconds and hardly any computing, so that a
# job of one minute is cut by its wall time after few steps.
SLOW = "\n\ndef test_that_takes_its_time():\n    import time\n\n    time.sleep(0.2)\n"
TASKS = 24


@dataclass(frozen=True)
class Site:
    """A folder to type commands in, on the login node of a cluster."""

    cwd: Path
    cluster: SlurmCluster
    base: Path  # the model that chains begin with
    arguments: tuple[str, ...]

    def type(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        around = {**self.cluster.environment, **environment}
        return command(*self._line(arguments), cwd=self.cwd, **around)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Starts a command beside the test."""
        return subprocess.Popen(
            [sys.executable, "-m", *self._line(arguments)],
            cwd=self.cwd,
            env=environment_of(**self.cluster.environment),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _line(self, arguments: Sequence[str]) -> list[str]:
        """What a test types comes last, where it wins; Hydra wants its flag before all keys."""
        flags, keys = ([one for one in arguments if (one == "-m") == is_flag] for is_flag in (True, False))
        return ["ablation.run", *flags, *self.arguments, *keys]


@pytest.fixture(scope="session")
def site(slurm: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> Site:
    cwd = tmp_path_factory.mktemp("site")
    shared = tmp_path_factory.getbasetemp().parent / "base-models"  # one for all workers: it is keyed by its recipe
    shared.mkdir(exist_ok=True)
    (cwd / "runs").mkdir()
    (cwd / "runs" / ".cache").symlink_to(shared)
    few = compose_config([*SMALL, f"runs_dir={cwd / 'runs'}", "tasks.validation=6", "tasks.test=6"])
    base = Path(ensure_base_model(few))
    tasks = cwd / "tasks.jsonl"
    slow = [replace(task, tests=task.tests + SLOW, timeout_s=30.0) for task in load_tasks(few.tasks).train[:TASKS]]
    tasks.write_text("".join(json.dumps(asdict(task)) + "\n" for task in slow))
    return Site(
        cwd,
        slurm,
        base,
        (
            f"model.path={base}",
            *("tasks=jsonl", f"tasks.path={tasks}", "tasks.train=12", "tasks.validation=3", "tasks.test=3"),
            *("grpo.train_batch_size=16", "cluster.scoring_workers=1", "chain.save_every=2", "chain.resume_every=2"),
        ),
    )
