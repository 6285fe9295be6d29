"""The links of a chain: begun, ended, found dead, and given up when they fail again and again."""

import inspect
import os
import socket
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from ablation import provenance as origins
from ablation.chain_files import last_written
from ablation.config import Config
from ablation.scoring.rewards import REWARDS
from ablation.training.chain import ChainRecord, LinkRecord, Status, history_steps, now, write_record
from ablation.training.checkpoints import saved_steps
from ablation.uncommitted import changes_of, keep_changes

# Set, to anything, for links that nobody typed: successors and requeued jobs of a cluster.
AUTOMATIC = "ABLATION_AUTOMATIC_LINK"
DEAD = "killed with its supervisor"


def is_automatic() -> bool:
    """Whether this process was started by a cluster's chain of jobs, not by a person."""
    return bool(os.environ.get(AUTOMATIC))


def begin_link(config: Config, record: ChainRecord, folder: Path | None = None) -> LinkRecord:
    """Adds the next link to ``record``; a person's command starts with a clean slate.

    What the code adds to its commit is kept in the chain's ``folder``.
    """
    root = origins.ROOT
    changes = changes_of(root)
    if changes is not None and folder is not None:
        keep_changes(folder, root, changes)
    link = LinkRecord(
        link=len(record.links),
        start=now(),
        pid=os.getpid(),
        host=socket.gethostname(),
        execution=config.execution(),
        versions=origins.package_versions(),
        provenance=asdict(origins.provenance(origins.code_of(changes))),
        automatic=is_automatic(),
    )
    record.links.append(link)
    record.reward_text = inspect.getdoc(REWARDS[config.reward.name]) or ""
    record.origins = {"base": origins.origin(config.model.path), "tasks": origins.tasks_origin(config.tasks.path)}
    record.steps = config.chain.steps
    record.status = "running"
    record.given_up = ""
    return link


def end_link(folder: Path, record: ChainRecord, status: Status, cause: str, end: str | None = None) -> None:
    """Records how the last link ended (``end``: ISO 8601, by default now), how far it came, and whether others shall
    follow it by themselves."""
    link = record.links[-1]
    steps, states = history_steps(folder, link.link), saved_steps(folder / "resume")
    if steps:
        link.first_step, link.last_step = min(steps), max(steps)
    link.saved_step = max(states, default=0)
    link.status = record.status = status
    link.end, link.cause = end or now(), cause or status
    record.given_up = hopeless(record) or ""
    write_record(folder, record)


def bury_dead_link(folder: Path, record: ChainRecord) -> None:
    """Closes a last link that could not do it itself: the lease is ours, so its supervisor is gone.

    It ended when it wrote last, as far as anybody knows.
    """
    if record.status == "running" and record.links:
        link = record.links[-1]
        died_s = last_written([folder / "history.jsonl", folder / "logs" / f"link-{link.link}.log"])
        end = link.start if died_s is None else datetime.fromtimestamp(died_s, UTC).isoformat(timespec="seconds")
        end_link(folder, record, "failed", DEAD, max(end, link.start))


def hopeless(record: ChainRecord) -> str | None:
    """Returns why no further link shall follow by itself: the last two failed at the same step with nothing saved.

    The later one must have followed by itself: a person who types the command again has mended something.
    """
    if len(record.links) < 2:
        return None
    one, two = record.links[-2:]
    if not two.automatic or (one.status, two.status) != ("failed", "failed"):
        return None
    if (one.saved_step, one.reached) != (two.saved_step, two.reached):
        return None
    causes = two.cause if one.cause == two.cause else f"{one.cause}; then {two.cause}"
    return (
        f"links {one.link} and {two.link} both failed after step {two.reached}, with nothing saved after step "
        f"{two.saved_step}: {causes}"
    )
