"""A folder with W&B runs as the client leaves them on disk, offline or online, of any trainer."""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.sources.chain_folder import is_chain
from analysis.sources.naming import RECOGNISED, Naming
from analysis.sources.study import Link, Study
from analysis.sources.wandb_job import Job, read_job
from analysis.sources.wandb_runs import Run, check_any, study_of


def recognises(source: str) -> bool:
    """Whether ``source`` is a folder with a ``.wandb`` file somewhere in it that is not in a chain's folder."""
    return next(_files(Path(source)), None) is not None


def read(source: str, naming: Naming = RECOGNISED) -> Study:
    """The study of all runs in a folder; files of one run id are its links, by start.

    Raises:
        AnalysisError: no run in it could be read.
    """
    jobs: dict[str, list[Job]] = {}
    problems: list[str] = []
    for path in sorted(_files(Path(source))):
        try:
            job = read_job(path)
        except (AnalysisError, OSError) as error:
            problems.append(str(error))
            continue
        jobs.setdefault(job.run.run_id, []).append(job)
    runs = sorted((_run(of_id, problems) for of_id in jobs.values()), key=lambda run: run.links[0].start or "")
    check_any(runs, source, problems)
    study = study_of(runs, Path(source).resolve().name, naming)
    history = study.history._replace(problems=(*problems, *study.history.problems))
    return Study(study.name, None, study.chains, history)


def _files(folder: Path) -> Iterator[Path]:
    """The logs in a folder; links such as latest-run, which would give them twice, are not followed."""
    for root, folders, names in os.walk(folder):
        if is_chain(Path(root)):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if name.endswith(".wandb"))


def _run(jobs: Sequence[Job], problems: list[str]) -> Run:
    ordered = _without_copies(sorted(jobs, key=lambda job: (job.started, len(job.items))), problems)
    last = ordered[-1]
    config: dict[str, Any] = {}
    for job in ordered:
        config |= job.config
    status = {None: "unknown", 0: "complete"}.get(last.exit_code, "failed")
    return Run(
        run_id=last.run.run_id,
        name=last.run.display_name,
        project=last.run.project,
        group=last.run.run_group,
        job_type=last.run.job_type,
        tags=tuple(last.run.tags),
        config=config,
        status=status,
        links=tuple(_link(index, job) for index, job in enumerate(ordered)),
        parts=tuple(job.items for job in ordered),
        problems=tuple(problem for job in ordered for problem in job.problems),
    )


def _without_copies(jobs: Sequence[Job], problems: list[str]) -> list[Job]:
    """Of files of one run with one start, which are copies of each other, the longest."""
    by_start = {job.started: job for job in jobs}
    if len(by_start) < len(jobs):
        problems.append(
            f"Run {jobs[0].run.run_id} has {len(jobs) - len(by_start)} copies of its files: the longest of each counts."
        )
    return list(by_start.values())


def _link(index: int, job: Job) -> Link:
    try:
        start = datetime.fromtimestamp(job.started, UTC).isoformat()
    except (OverflowError, ValueError, OSError):  # a damaged time
        start = None
    cause = None if job.exit_code is None else "finished" if job.exit_code == 0 else f"exit code {job.exit_code}"
    return Link(index, start, None, cause, None, None, {"wandb": job.run.telemetry.cli_version})
