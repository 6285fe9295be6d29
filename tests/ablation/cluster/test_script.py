import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablation.cluster.script import parameters, python, setup
from ablation.config import ClusterConfig
from tests.conftest import ROOT


def run(line: str) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)


def test_the_job_runs_this_python_and_code_in_the_folder_where_the_command_was_typed(tmp_path: Path):
    work, seen = tmp_path / "a folder", tmp_path / "seen"
    work.mkdir()
    seen.touch()
    cluster = ClusterConfig(setup=["GREETING=hello"], env={"SAID": "it's $HOME"})
    ask = "import os, sys, ablation; print(sys.executable, os.getcwd(), ablation.__file__, os.environ['SAID'], sep='|')"
    ended = run("\n".join(["unset PYTHONPATH; cd /", *setup(cluster, work), f'{python(cluster, seen)} -c "{ask}"']))
    assert ended.stdout.strip().split("|") == [
        sys.executable, str(work), str(ROOT / "ablation" / "__init__.py"), "it's $HOME"
    ]  # fmt: skip


def test_a_node_that_does_not_see_the_run_folder_says_so(tmp_path: Path):
    ended = run(f"{python(ClusterConfig(), tmp_path / 'absent')} -c 'print(1)'")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"absent, written when the job was submitted, is not to be seen on {os.uname().nodename}" in ended.stderr
    assert "choose a runs_dir=… that the nodes share" in ended.stderr


def test_a_container_that_does_not_bind_the_run_folder_says_so(tmp_path: Path):
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed (Debian's package bubblewrap)")
    seen = tmp_path / "seen"
    seen.touch()
    inside = ClusterConfig(container=f"bwrap --dev-bind / / --tmpfs {tmp_path}")
    ended = run(f"{python(inside, seen)} -c 'print(1)'")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "in the container" in ended.stderr
    assert "bind it in cluster.container" in ended.stderr
    bound = ClusterConfig(container="bwrap --dev-bind / /")
    assert run(f"{python(bound, seen)} -c 'print(1)'").stdout == "1\n"


def test_further_options_of_sbatch_win_and_what_is_not_set_is_left_to_the_cluster(tmp_path: Path):
    cluster = ClusterConfig(kind="slurm", time_min=90.5, mem_gb=1.5, gres="gpu:2", sbatch={"constraint": "a100"})
    made = parameters(cluster, "shaped-s0", tmp_path, {"dependency": "afterany:7"})
    assert (made["time"], made["mem"], made["gres"]) == (91, "1536M", "gpu:2")
    assert made["additional_parameters"]["constraint"] == "a100"
    assert made["additional_parameters"]["dependency"] == "afterany:7"
    assert not {"partition", "account", "qos", "gpus_per_node"} & set(made)
