"""From ``cluster.…`` values to what a job is asked for and what its script does before python. Pure."""

import math
import shlex
import sys
from pathlib import Path
from typing import Any

import ablation
from ablation.config import ClusterConfig

# Slurm would send its warning to every process of the job, most of which it ends. None is needed: a link knows
# when its job ends. SIGCONT at the last moment is what nobody minds.
_NO_WARNING = "CONT@1"


def parameters(cluster: ClusterConfig, name: str, cwd: Path, extra: dict[str, Any]) -> dict[str, Any]:
    """Returns submitit's parameters for one job called ``name`` that works in ``cwd``; ``extra``: further options."""
    assert cluster.time_min is not None
    given = {
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "gres": cluster.gres,
        "gpus_per_node": cluster.gpus_per_node,
        "cpus_per_task": cluster.cpus_per_task,
        "mem": None if cluster.mem_gb is None else f"{math.ceil(cluster.mem_gb * 1024)}M",
    }
    cores = [] if cluster.cpus_per_task is None else [f"--cpus-per-task={cluster.cpus_per_task}"]
    options: dict[str, Any] = {"signal": _NO_WARNING, **cluster.sbatch, **extra}
    return {
        **{key: value for key, value in given.items() if value is not None},
        "job_name": name,
        "wckey": None,  # submitit's own, which sites that check them do not know
        "time": math.ceil(cluster.time_min),  # Slurm counts whole minutes
        "nodes": cluster.nodes,
        "ntasks_per_node": cluster.ranks // cluster.nodes,
        "setup": setup(cluster, cwd),
        "srun_args": ["--kill-on-bad-exit=1", "--export=ALL", *cores],  # srun forgets the cores since Slurm 22.05
        "additional_parameters": {key: value for key, value in options.items() if value is not None},
    }


def setup(cluster: ClusterConfig, cwd: Path) -> list[str]:
    """Returns the lines of the script before python: modules first, then where and with which code it works."""
    code = str(Path(ablation.__file__).parent.parent)
    return [
        *cluster.setup,
        *(f"export {name}={shlex.quote(str(value))}" for name, value in cluster.env.items()),
        f"export PYTHONPATH={shlex.quote(code)}${{PYTHONPATH:+:$PYTHONPATH}}",
        f"cd {shlex.quote(str(cwd))}",
    ]


def python(cluster: ClusterConfig, seen: Path) -> str:
    """Returns what the job types for python: the container, a look for the file ``seen``, then this very python."""
    sentence = (
        f"error: {seen}, written when the job was submitted, is not to be seen on $(hostname)"
        f"{' in the container' if cluster.container else ''}; choose a runs_dir=… that the nodes share"
        f"{', and bind it in cluster.container' if cluster.container else ''}."
    )
    look = f'test -e {shlex.quote(str(seen))} || {{ echo "{sentence}" >&2; exit 2; }}; exec "$@"'
    prefix = f"{cluster.container} " if cluster.container else ""
    return f"{prefix}sh -c {shlex.quote(look)} sh {shlex.quote(sys.executable)}"
