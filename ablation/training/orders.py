"""What a supervisor tells its link, by the environment, which every rank of a link inherits."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from ablation.training.job_time import JobTime

ORDERS = "ABLATION_LINK_ORDERS"


@dataclass(frozen=True)
class Orders:
    """The claim under which a link may write, and the time that it has."""

    lease: str = ""  # token of the supervisor's lease; empty: the link has no supervisor
    job: JobTime = field(default_factory=lambda: JobTime(time.monotonic()))
    ranks_here: int = 1  # of the chain, which share the cores that this process may use

    def environment(self) -> dict[str, str]:
        return {ORDERS: json.dumps(asdict(self))}

    @classmethod
    def given(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Returns the orders in ``environ``, none where it has none."""
        if ORDERS not in environ:
            return cls()
        content = json.loads(environ[ORDERS])
        return cls(content["lease"], JobTime(**content["job"]), content["ranks_here"])
