"""What it costs to confine a candidate: forks that are confined and forks that are not, taking turns, in each tier.

In every tier a candidate server forks children that end at once. Prints the median time of a fork with and without
``confine_child``, their ratio, and confined forks a second.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

FORKS = 1000  # of each kind
DESCRIPTOR = 63  # for the report, and for the child to keep


def measure(tier_name: str, work: str) -> None:
    """The server's side; prints the two medians in microseconds."""
    import gc

    from ablation.scoring.containment.confine import confine_child, confine_server, end_child
    from ablation.scoring.containment.tiers import named

    os.dup2(1, DESCRIPTOR)
    server = confine_server(named(tier_name), (), Path(work))
    gc.freeze()

    def fork(inside: Callable[[], None]) -> float:
        started = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            try:
                inside()
            finally:
                os._exit(0)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        end_child(server, pid)
        return (time.perf_counter() - started) * 1e6

    kinds: tuple[Callable[[], None], ...] = (lambda: None, lambda: confine_child(server, DESCRIPTOR, 1.0))
    times = [[fork(kind) for kind in kinds] for _ in range(FORKS)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    os.write(DESCRIPTOR, " ".join(map(str, medians)).encode())


def main() -> None:
    from ablation.scoring.containment.bubblewrap import server_command
    from ablation.scoring.containment.choose import choose
    from ablation.scoring.containment.paths import PACKAGE
    from ablation.scoring.containment.tiers import NONE, TIERS, SandboxError

    script = Path(__file__).resolve()
    for tier in (*TIERS, NONE):
        try:
            choose(tier.name)
        except SandboxError as error:
            print(f"{tier.name:28} not measured: {error}")
            continue
        with tempfile.TemporaryDirectory() as work:
            argv = [sys.executable, "-P", "-S", str(script), tier.name, work]
            command = server_command(tier, argv, [script], Path(work))
            environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        bare, confined = map(float, ended.stdout.split())
        print(
            f"{tier.name:28} fork {bare:6.0f} us, confined {confined:6.0f} us, "
            f"ratio {confined / bare:.2f}, {1e6 / confined:5.0f} a second"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(*sys.argv[1:])
    else:
        main()
