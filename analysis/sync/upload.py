"""One run uploaded: all its links together, in order, as one run, and what came of it."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.errors import AnalysisError
from analysis.sync import client, records
from analysis.sync.logs import Log, in_order
from analysis.sync.mend import write_copy
from analysis.sync.plan import Plan, make_plan
from analysis.sync.records import Uploaded
from analysis.sync.server import Held, Server

_JUST_NOW_S = 600.0  # after which a server has certainly taken in what it was sent


class Outcome(NamedTuple):
    """What came of one run."""

    run: str  # its id
    links: int
    rows: int  # that are to be on the server
    mended: str  # what its logs lack, empty when they are whole
    done: bool
    told: str


class Upload:
    """A run to be uploaded: the logs of its links, in order, and its place on the server."""

    def __init__(self, logs: Sequence[Log], *, project: str | None, entity: str | None) -> None:
        self.logs = in_order(logs)
        last = self.logs[-1].run
        self.run_id = str(last.run_id)
        self.project = project or str(last.project) or "uncategorized"
        self.entity = entity or str(last.entity)
        self.rows = sum(len(log.calls) for log in self.logs)

    def target(self, url: str) -> str:
        """Where the run goes, as it is recorded; the entity is left open when the key's own is meant."""
        return f"{url.rstrip('/')}/{self.entity or '-'}/{self.project}/{self.run_id}"

    def is_done(self, url: str) -> bool:
        """Whether every log, as it is now, was uploaded there before."""
        target = self.target(url)
        return all(records.uploaded(log.path) == Uploaded.of(log, target) for log in self.logs)

    def outcome(self, done: bool, told: str, plan: Plan | None = None) -> Outcome:
        rows = (plan or make_plan(self.logs, Counter())).kept.total()
        return Outcome(self.run_id, len(self.logs), rows, _mended(self.logs), done, told)


def upload(run: Upload, server: Server) -> Outcome:
    """Sends what the server lacks of a run, and returns when it shows it.

    Raises:
        AnalysisError: it was not uploaded, or not wholly; what was sent is not sent again by the next call.
    """
    with records.alone(run.logs[0].path, run.run_id) as lock, tempfile.TemporaryDirectory(prefix="sync-") as scratch:
        path = f"{run.entity or server.entity}/{run.project}/{run.run_id}"
        held = _held(run, server, path)
        plan = make_plan(run.logs, held.stamps)
        target = run.target(server.url)
        copies = _stage(run, plan, held, target, Path(scratch))
        if copies:
            for log in run.logs:
                records.begin(log, target)
            client.sync(
                copies,
                Path(scratch),
                url=server.url,
                project=run.project,
                entity=run.entity or server.entity,
                keep_open=lock,
            )
            shown = server.shows(path, plan.kept)
            if shown < plan.kept.total():
                raise AnalysisError(
                    f"the server shows {shown} of {plan.kept.total()} rows: type the command again, which sends the "
                    "rest alone"
                )
        for log in run.logs:
            records.end(log, target)
    return run.outcome(True, _uploaded(plan), plan)


def _held(run: Upload, server: Server, path: str) -> Held:
    begun = [age for age in (records.begun_s_ago(log.path) for log in run.logs) if age is not None]
    return server.settled(path) if begun and min(begun) < _JUST_NOW_S else server.held(path)


def _stage(run: Upload, plan: Plan, held: Held, target: str, scratch: Path) -> list[Path]:
    """Copies of the logs from the first one on that has something to send, in folders named in their order."""
    first = next((i for i, log in enumerate(run.logs) if plan.send[i] or not _known(log, target, held)), len(run.logs))
    copies = []
    last = held.last_call
    for index, log in enumerate(run.logs[first:], start=first):
        rows = frozenset(plan.send[index])
        calls = [call.item.get("_step", -1.0) for call in log.calls if call.record in rows]
        goes_on = bool(calls) and calls[0] > last >= 0
        folder = scratch / f"offline-run-{index:04d}-{run.run_id}"  # the client leaves others out
        copy = write_copy(
            log, folder, rows, sent=records.sent_before(log.path, target), renumber=last >= 0 and not goes_on
        )
        if goes_on:  # otherwise the client adds the server's last step to the log's own
            copy.with_name(f"{copy.name}.syncstate").write_text('{"starting_step": 0, "starting_runtime": 0}\n')
        last = int(max(calls)) if goes_on or last < 0 else last + len(calls)
        copies.append(copy)
    return copies


def _known(log: Log, target: str, held: Held) -> bool:
    """Whether all but rows of a log came to the server before: with us, or with the client of W&B."""
    if records.begun_s_ago(log.path) is not None:
        return False
    before = records.uploaded(log.path)
    if before is None:
        by_client = log.path.with_name(f"{log.path.name}.synced").exists()
        online = not log.path.parent.name.startswith("offline-")
        return held.last_call >= 0 and (by_client or online)
    return before == Uploaded.of(log, target)


def _mended(logs: Sequence[Log]) -> str:
    hurt = [(index, log) for index, log in enumerate(logs) if log.damage]
    said = []
    for index, log in hurt:
        size = sum(damage.size for damage in log.damage)
        lost = sum(1 if damage.records is None else damage.records for damage in log.damage)
        said.append(f"link {index}: {size} bytes of {lost} record{'s' if lost != 1 else ''} cut")
    return ", ".join(said)


def _uploaded(plan: Plan) -> str:
    said = [f"uploaded {plan.rows} rows"]
    if plan.there:
        said.append(f"{plan.there} were there")
    if plan.redone:
        said.append(f"{plan.redone} of steps done again left out")
    if plan.redone_there:
        said.append(
            f"{plan.redone_there} of steps done again had been uploaded before and stay, which analysis stitches"
        )
    return ", ".join(said)
