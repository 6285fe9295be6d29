"""What 10,000 executions leave behind when every twentieth is an attack of the gallery.

One worker in the strongest tier, one execution at a time. Prints processes, descriptors and memory before and after,
the statuses of the attacks, and the worst overrun of a deadline. Takes minutes; arguments: executions, seed.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/ablation/scoring"))

from gallery_attacks import read_gallery
from soaking import footprint, soak, warm

from ablation.scoring.pool import ScoringPool

HOSTILE = 0.05


def main() -> None:
    executions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    started = time.monotonic()
    with ScoringPool() as pool:
        warm(pool)
        before = footprint()
        seen = soak(pool, read_gallery(), executions, HOSTILE, seed)
        warm(pool)
        after = footprint()
    attacks = sum(seen.statuses.values())
    print(
        f"{executions:,} executions in {time.monotonic() - started:.0f} s, {attacks} of them attacks, tier {pool.tier}"
    )
    print(f"statuses of the attacks: {', '.join(f'{name} {count}' for name, count in seen.statuses.most_common())}")
    print(f"honest candidates unsolved: {len(seen.unsolved)}; attacks without a score: {len(seen.unscored)}")
    for verdict in [*seen.unsolved, *seen.unscored][:5]:
        print(f"    {verdict.task_id}: {verdict.status}, {verdict.passed} of {verdict.total}, {verdict.detail[:100]}")
    for name, was, now in zip(before._fields, before, after, strict=True):
        print(f"{name.replace('_', ' ')}: {was:.0f} before, {now:.0f} after")
    print(
        f"workers lost: {seen.workers_lost}; worst overrun of a deadline: {seen.worst_overrun_s:.2f} s ({seen.worst})"
    )
    print(f"longest wait for a worker that tidied up after the candidate before: {seen.longest_wait_s:.2f} s")


if __name__ == "__main__":
    main()
