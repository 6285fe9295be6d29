"""Some hundreds of executions, every twentieth hostile, leave the machine as it was."""

from gallery_attacks import read_gallery
from soaking import footprint, soak, warm

from ablation.scoring.pool import ScoringPool

EXECUTIONS, HOSTILE = 300, 0.05  # benchmarks/bench_soak.py runs 10,000
GROWTH_MB = 100  # what an allocator may keep of the largest answer it has seen


def test_three_hundred_executions_leave_nothing_behind():
    with ScoringPool() as pool:
        warm(pool)
        before = footprint()
        seen = soak(pool, read_gallery(), EXECUTIONS, HOSTILE, seed=0)
        warm(pool)
        after = footprint()
    assert (seen.unsolved, seen.unscored) == ([], [])
    assert sum(seen.statuses.values()) >= 5
    assert (after.stray_processes, after.zombies) == (0, 0)
    assert (after.descriptors, after.evaluator_descriptors) == (before.descriptors, before.evaluator_descriptors)
    assert after.evaluator_mb < before.evaluator_mb + GROWTH_MB
    assert after.server_mb < before.server_mb + GROWTH_MB
