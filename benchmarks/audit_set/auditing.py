"""An audit without a folder."""

from collections.abc import Sequence
from functools import partial

import joblib
from tqdm import tqdm

from ablation.scoring.environment import World
from ablation.scoring.pool import ScoringPool
from ablation.tasks.audit.audit import Looks, audits, due, look_at_all
from ablation.tasks.audit.findings import Audit
from ablation.tasks.task import Task


def audited(tasks: Sequence[Task], repeats: int) -> list[Audit]:
    """What the audit says of each task, with a progress bar; on all cores."""
    looks: Looks = {}
    pools = partial(_pool, int(joblib.cpu_count()))
    with tqdm(total=due(tasks, repeats), desc="Auditing", unit="look", mininterval=5) as bar:
        for _ in look_at_all(tasks, looks, pools, repeats):
            bar.update()
    return audits(tasks, looks)


def _pool(workers: int, world: World) -> ScoringPool:
    return ScoringPool(workers, None, world)
