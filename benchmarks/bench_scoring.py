"""Executions a second of the verifier against `python -m pytest` in a subprocess, on the same files, taking turns.

For each number of tests a task has (1 to 100) and for each time that a candidate takes (0 to 50 ms a test), one
honest and one wrong candidate are judged by turns: by pools of one and two workers in the strongest tier that holds,
by one without a sandbox, and by a fresh pytest process, which is what most systems do. Prints medians over the
rounds; the ratios are to pytest one after another. What the sandbox costs is a ratio of processor time, of all
processes of a pool: by wall time the unsandboxed one is at a disadvantage, as it cannot make a child ready in advance.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psutil

from ablation.scoring.containment.choose import choose
from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks.task import Task

HONEST, WRONG = "    return x + x\n", "    return 0\n"


def task_of(tests: int) -> Task:
    """A task with so many tests, each of one call."""
    source = "from solution import double\n\n\n" + "\n\n".join(
        f"def test_{i}():\n    assert double({i}) == {2 * i}\n" for i in range(1, tests + 1)
    )
    prompt = 'def double(x):\n    """Twice x."""\n'
    return Task(f"double-{tests}", prompt, "double", source, prompt + HONEST, timeout_s=30.0)


def body(kind: str, sleep_ms: float, number: int) -> str:
    """A completion unlike any other, which takes so long a call."""
    pause = f"    import time\n    time.sleep({sleep_ms / 1000})\n" if sleep_ms else ""
    return f"{pause}{kind}# {number}\n"


def pytest_seconds(task: Task, completions: Sequence[str]) -> float:
    """Seconds that a fresh pytest process takes for each completion, on average."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_solution.py").write_text(task.tests)
        started = time.perf_counter()
        for completion in completions:
            (folder / "solution.py").write_text(task.prompt + completion)
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_solution.py"],
                cwd=folder,
                env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # installed plugins would flatter the ratio
                stdout=subprocess.DEVNULL,
                check=False,
            )
        return (time.perf_counter() - started) / len(completions)


def processor_seconds() -> float:
    """Processor time so far of this process, its descendants, and those of them that have ended."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(process.cpu_times()[:4]) for process in family)


def pool_seconds(pool: ScoringPool, task: Task, completions: Sequence[str]) -> tuple[float, float, float]:
    """Seconds an execution by throughput, the median of what one takes by itself, and processor time of each."""
    used, started = processor_seconds(), time.perf_counter()
    verdicts = pool.score([Submission(task, completion) for completion in completions])
    seconds = (time.perf_counter() - started) / len(completions)
    used = (processor_seconds() - used) / len(completions)
    assert {verdict.status for verdict in verdicts} == {"scored"}
    assert sum(bool(verdict.solved) for verdict in verdicts) == len(completions) // 2
    return seconds, median(verdict.seconds for verdict in verdicts), used


def measure(tests: int, sleep_ms: float, rounds: int, batch: int, of_pytest: int) -> dict[str, float]:
    """Medians over the rounds of seconds an execution, for each way."""
    task, seen = task_of(tests), dict[str, list[float]]()
    ways = [("1 worker", 1, None), ("2 workers", 2, None), ("1 worker, unsandboxed", 1, "none")]
    pools = {name: ScoringPool(workers, sandbox) for name, workers, sandbox in ways}
    number = 0
    try:
        for pool in pools.values():
            pool.score([Submission(task, body(HONEST, 0, -i)) for i in range(1, 9)])  # the workers are up
        for _ in range(rounds):
            for name, pool in pools.items():
                number += batch
                completions = [body((HONEST, WRONG)[i % 2], sleep_ms, number + i) for i in range(batch)]
                seconds, latency, used = pool_seconds(pool, task, completions)
                seen.setdefault(name, []).append(seconds)
                seen.setdefault(f"processor, {name}", []).append(used)
                seen.setdefault(f"latency, {name}", []).append(latency)
            honest_and_wrong = [body((HONEST, WRONG)[i % 2], sleep_ms, i) for i in range(of_pytest)]
            seen.setdefault("pytest", []).append(pytest_seconds(task, honest_and_wrong))
    finally:
        for pool in pools.values():
            pool.close()
    return {name: median(values) for name, values in seen.items()}


def main() -> None:
    """Print one line for each number of tests and each time a candidate takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=60, help="executions of a pool in a round")
    parser.add_argument("--of-pytest", type=int, default=2, help="executions of pytest in a round; half are wrong")
    parser.add_argument("--quick", action="store_true", help="only the task of six tests")
    arguments = parser.parse_args()
    print(f"tier {choose().tier.name}; ms an execution, and how many times as fast as pytest")
    grid = (
        [(6, 0.0)] if arguments.quick else [(1, 0.0), (6, 0.0), (20, 0.0), (100, 0.0), (6, 1.0), (6, 10.0), (6, 50.0)]
    )
    for tests, sleep_ms in grid:
        batch = arguments.batch if sleep_ms < 10 else 10
        found = measure(tests, sleep_ms, arguments.rounds, batch, arguments.of_pytest)
        pytest_ms = 1000 * found.pop("pytest")
        used = {name: found.pop(name) for name in list(found) if name.startswith("processor")}
        parts = [f"{name} {1000 * s:.2f} ms ({pytest_ms / 1000 / s:.0f}x)" for name, s in found.items()]
        print(f"{tests:3d} tests, {sleep_ms:g} ms a call: pytest {pytest_ms:.0f} ms; " + "; ".join(parts), flush=True)
        hardened = used["processor, 1 worker"] / used["processor, 1 worker, unsandboxed"]
        print(f"          hardening: {hardened:.3f} times the processor time without", flush=True)


if __name__ == "__main__":
    main()
