"""Seconds for the rewards of one step of 64 prompts x 8 samples, and how long a step has to be for 5 % of that.

The batch: kata references, the same with a wrong value returned, code that does not parse, and in the second round one
loop without end in twenty, which its task's limit ends. Scored by pools of one and two workers here; more are scaled by
what the second worker brought, or by how many there are where that is less. Prints seconds, and the shortest step.
"""

import time
from statistics import median

from ablation.composing import compose_config
from ablation.scoring.pool import ScoringPool, Submission
from ablation.tasks.load import load_tasks
from ablation.tasks.task import Task

PROMPTS, SAMPLES, SHARE, ROUNDS = 64, 8, 0.05, 5
CORES = 16  # of which one trains
WRONG, BROKEN, ENDLESS = "    return None\n", "    return (\n", "    while True:\n        pass\n"


def completions(task: Task, loops: bool, number: int) -> list[str]:
    """Samples of one prompt; in every 20 samples of a batch with loops one is endless."""
    assert task.reference is not None
    solved = task.reference.removeprefix(task.prompt)
    bodies = [(solved, WRONG, solved, BROKEN)[sample % 4] for sample in range(SAMPLES)]
    if loops:
        bodies = [ENDLESS if (number + i) % 20 == 0 else body for i, body in enumerate(bodies)]
    return [f"{body}# {number + i}\n" for i, body in enumerate(bodies)]


def seconds(pool: ScoringPool, tasks: list[Task], loops: bool) -> float:
    batch = [
        Submission(task, text) for place, task in enumerate(tasks) for text in completions(task, loops, place * SAMPLES)
    ]
    started = time.perf_counter()
    verdicts = pool.score(batch)
    taken = time.perf_counter() - started
    ended = sum(verdict.status == "timeout" for verdict in verdicts)
    assert ended == (sum(number % 20 == 0 for number in range(len(batch))) if loops else 0), ended
    return taken


def main() -> None:
    tasks = load_tasks(compose_config([]).tasks).train[:PROMPTS]
    limit = median(task.timeout_s for task in tasks)
    for loops in (False, True):
        found = {}
        for workers in (1, 2):
            with ScoringPool(workers) as pool:
                seconds(pool, tasks, False)  # the workers are up
                found[workers] = median(seconds(pool, tasks, loops) for _ in range(ROUNDS if not loops else 2))
        gain = min(1.0, found[1] / found[2] - 1)  # of another worker
        scaled = found[1] / (1 + gain * (CORES - 2))
        what = f"one endless loop in twenty, of {limit:g} s each" if loops else "all ending by themselves"
        print(
            f"{PROMPTS} x {SAMPLES} completions, {what}: {found[1]:.2f} s with 1 worker, {found[2]:.2f} s with 2; "
            f"scaled to {CORES - 1}: {scaled:.2f} s, below {SHARE:.0%} of any step from {scaled / SHARE:.0f} s on",
            flush=True,
        )


if __name__ == "__main__":
    main()
