"""Which rows of a chain go to the server, given those that it has. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ablation import metrics
from analysis.errors import AnalysisError
from analysis.sources.presets import OURS
from analysis.sources.wandb_items import locate
from analysis.sync.logs import Call, Log

Stamps = Counter[int | None]  # how many rows of each time stamp there are


class Plan(NamedTuple):
    """The records of each log that are to be sent, by number, and what comes of the other rows."""

    send: list[list[int]]  # [logs, rows]
    kept: Stamps  # every row that the server has in the end, but for redone ones that it had before
    there: int  # rows that need not be sent
    redone: int  # rows of steps that a later link did again, which are not sent
    redone_there: int  # such rows that the server has already, which nobody can take back

    @property
    def rows(self) -> int:
        return sum(map(len, self.send))


def make_plan(logs: Sequence[Log], on_server: Stamps) -> Plan:
    """What to send of the links of one run, which are in the order of their start.

    Rows whose step a later link did again are left out by the rule of `analysis.history.stitch`; a row without a
    step goes the way of the one before it in its link.

    Raises:
        AnalysisError: the server lacks rows before some that it has, and these rows do not name their link, so
            that sent now they would look like steps done again.
    """
    located = locate([[call.item for call in log.calls] for log in logs])
    calls = [(index, call) for index, log in enumerate(logs) for call in log.calls]
    survives = _surviving([(link, step) for link, step, _ in located.items]) if located.preset else [True] * len(calls)
    left = on_server.copy()
    send: list[list[int]] = [[] for _ in logs]
    kept: Stamps = Counter()
    there = redone_there = after_gap = 0
    for (index, call), lives in zip(calls, survives, strict=True):
        has = left[call.stamp] > 0
        left[call.stamp] -= has
        if not lives:
            redone_there += has
            continue
        kept[call.stamp] += 1
        if has:
            there += 1
            after_gap += any(send)
        else:
            send[index].append(call.record)
    if after_gap and not (located.preset is OURS and _name_their_links(calls)):
        raise AnalysisError(
            f"the server lacks {sum(map(len, send))} rows before {after_gap} that it has, and rows of this trainer do "
            "not name their link, so they would be taken for steps done again: delete the run there and type the "
            "command again for a whole upload"
        )
    return Plan(send, kept, there, survives.count(False) - redone_there, redone_there)


def _surviving(placed: Sequence[tuple[int, int | None]]) -> list[bool]:
    """Whether each (link, step) is of work that no later link did again."""
    firsts: dict[int, int] = {}
    for link, step in placed:
        if step is not None:
            firsts[link] = min(step, firsts.get(link, step))
    bounds: dict[int, float] = {}  # the first step that any later link did
    bound = float("inf")
    for link in sorted({link for link, _ in placed}, reverse=True):
        bounds[link] = bound
        bound = min(bound, firsts.get(link, bound))
    last: dict[int, int] = {}
    survives = []
    for link, step in placed:
        step = last.get(link, -1) if step is None else step
        last[link] = step
        survives.append(step < bounds[link])
    return survives


def _name_their_links(calls: Sequence[tuple[int, Call]]) -> bool:
    return all(metrics.LINK in call.item for _, call in calls)
