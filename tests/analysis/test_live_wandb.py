"""A run to a live W&B server and back: only where ABLATION_LIVE_WANDB=ENTITY/PROJECT names a place to write it to."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from analysis.history import series
from analysis.sources import open_source

PLACE = os.environ.get("ABLATION_LIVE_WANDB", "")
pytestmark = pytest.mark.skipif(
    not PLACE, reason="set ABLATION_LIVE_WANDB=ENTITY/PROJECT, and W&B's WANDB_API_KEY, to write a small run there"
)
LOG = """
import sys, wandb
entity, project, group = sys.argv[1:]
run = wandb.init(entity=entity, project=project, group=group, config={"seed": 7})
for step in range(1, 21):
    run.log({"train/global_step": step, "train/reward": step / 8})
run.finish()
"""


def test_a_run_comes_back_as_it_was_logged(tmp_path: Path) -> None:
    group = f"live-{uuid.uuid4().hex[:8]}"
    subprocess.run([sys.executable, "-c", LOG, *PLACE.split("/"), group], cwd=tmp_path, check=True, timeout=300)
    study = open_source(f"wandb:{PLACE}")
    assert (group, 7) in {(chain.arm, chain.seed) for chain in study.chains}
    assert series(study.history.frame, group, 7, "train/reward") == {step: step / 8 for step in range(1, 21)}
