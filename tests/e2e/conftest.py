"""One small study, trained for real once, that the tests of the commands look at."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SMALL, command

FEW_STEPS = ("chain.steps=4", "chain.save_every=1", "chain.resume_every=2", "grpo.train_batch_size=48")
FEW_TASKS = ("tasks.validation=6", "tasks.test=6", "evaluation.samples=3")
TINY = (*SMALL, *FEW_STEPS, *FEW_TASKS)


@dataclass(frozen=True)
class Trained:
    cwd: Path  # where the commands were typed
    folder: Path  # runs/<study>
    printed: str


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two arms with one seed, four steps each."""
    cwd = tmp_path_factory.mktemp("spine")
    shared = tmp_path_factory.getbasetemp().parent / "base-models"  # one for all workers: it is keyed by its recipe
    shared.mkdir(exist_ok=True)
    (cwd / "runs").mkdir()
    (cwd / "runs" / ".cache").symlink_to(shared)
    ended = command("ablation.run", "-m", "reward=binary,shaped", "study=spine", *TINY, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Trained(cwd, cwd / "runs" / "spine", ended.stdout)
