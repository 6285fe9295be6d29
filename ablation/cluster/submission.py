"""Submits every chain of a study as a head job and its successors, and says which jobs there are."""

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

import ablation
from ablation import config as configuration
from ablation.cluster import job, script, slurm
from ablation.cluster.jobs import Submission, has_log, job_dir, read_submissions, write_submissions
from ablation.config import Config, ConfigError
from ablation.printing import table
from ablation.training import chain as chains

HEADER = ("arm", "seed", "jobs", "state", "folder")


@dataclass(frozen=True)
class Standing:
    """A chain and its jobs after the command."""

    arm: str
    seed: int
    jobs: tuple[str, ...]
    state: str
    folder: str


def refuse_without_slurm() -> None:
    """Raises ConfigError when nothing can be submitted from here."""
    if importlib.util.find_spec("submitit") is None:
        raise ConfigError(
            "cluster=slurm submits through submitit, which is not installed; type `python -m pip install "
            "'ablation-harness[slurm]'`."
        )
    absent = [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]
    if absent:
        raise ConfigError(
            f"cluster=slurm needs Slurm's {', '.join(absent)}, not found on PATH; type the command on a login node "
            "(`module load slurm` at some sites), or train here with cluster=local."
        )


def submit(configs: Sequence[Config], command: str) -> list[Standing]:
    """Submits what each chain still needs, in order, and returns how all stand.

    ``command`` is recorded with the chains. A chain that is complete, or has jobs that wait or run, gets none.
    Raises ConfigError with Slurm's own words when it refuses a job.
    """
    study = Path(configs[0].runs_dir) / configs[0].study
    study.mkdir(parents=True, exist_ok=True)
    standing: list[Standing] = []
    with FileLock(study / ".submitting.lock"):
        for config in configs:
            try:
                standing.append(_submit_chain(config, command))
            except ConfigError as error:
                done = [one for one in standing if one.state == "submitted"]
                before = f" Of this command {len(done)} chains are submitted before it." if done else ""
                raise ConfigError(f"{error}{before}") from error
    return standing


def standing_table(standing: Sequence[Standing]) -> str:
    """Returns the table of all chains and their jobs, with what to type next."""
    rows = [(one.arm, str(one.seed), _span(one.jobs), one.state, one.folder) for one in standing]
    lines = table(HEADER, rows)
    study = Path(standing[0].folder).parent
    new = [one for one in standing if one.state == "submitted"]
    count = sum(len(one.jobs) for one in new)
    lines.append(f"{count} jobs submitted for {len(new)} of {len(standing)} chains." if new else "Nothing to submit.")
    lines.append(f"Follow them with `python -m ablation.status {study}`; each job's output is in jobs/ of its folder.")
    return "\n".join(["", *lines])


def _span(jobs: Sequence[str]) -> str:
    return "-" if not jobs else jobs[0] if len(jobs) == 1 else f"{jobs[0]}-{jobs[-1]} ({len(jobs)})"


def _submit_chain(config: Config, command: str) -> Standing:
    folder = chains.chain_dir(config)
    assert config.arm is not None

    def standing(jobs: Sequence[str], state: str) -> Standing:
        return Standing(config.arm or "", config.seed, tuple(jobs), state, folder.as_posix())

    record = chains.open_record(config)
    if chains.is_complete(folder, record, config):
        return standing((), "complete")
    submissions = read_submissions(folder)
    before = [job for submission in submissions for job in submission.jobs]
    alive = slurm.queued(before)
    if alive:
        return standing(list(alive), _described(folder, config, submissions[-1], alive))
    if not record.links:
        _refuse_unshared(folder, before)
    folder.mkdir(exist_ok=True)
    new = not (folder / "chain.json").exists()
    if new:  # so that `ablation.status` shows the chain while it waits
        configuration.save(config, folder / "config.yaml")
        chains.write_record(folder, record)
    try:
        return standing(_submit_jobs(config, folder, submissions, command), "submitted")
    except ConfigError:
        if new and not (folder / "jobs.json").exists():  # nothing waits
            (folder / "chain.json").unlink()
            (folder / "config.yaml").unlink()
        raise


def _described(folder: Path, config: Config, submission: Submission, alive: dict[str, str]) -> str:
    said = "already queued: " + "; ".join(dict.fromkeys(alive.values()))
    if configuration.load(job_dir(folder) / submission.config).chain != config.chain:
        said += f", with other chain.… values (to replace them: scancel {' '.join(alive)})"
    return said


def _refuse_unshared(folder: Path, before: Sequence[str]) -> None:
    """Raises ConfigError when a job of a chain that never began failed before it could open its log."""
    ended = slurm.accounted([job for job in before if not has_log(folder, job)])
    failed = [job for job, state in ended.items() if state.startswith("FAILED")]
    if failed:
        raise ConfigError(
            f"job {failed[0]} of an earlier command failed before it could write to {job_dir(folder).absolute()}, so "
            "that folder is not shared between this machine and the nodes; choose another runs_dir=…, or remove "
            f"{folder / 'jobs.json'} when it is now."
        )


def _submit_jobs(config: Config, folder: Path, submissions: list[Submission], command: str) -> list[str]:
    """Submits a head job and its successors; each is recorded before the next is submitted."""
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError

    directory = job_dir(folder).absolute()
    directory.mkdir(exist_ok=True)
    config_file = directory / f"submission-{len(submissions)}.yaml"
    configuration.save(config, config_file)
    cluster, jobs = config.cluster, list[str]()
    executor = SlurmExecutor(directory, python=script.python(cluster, config_file))
    code = str(Path(ablation.__file__).parent)
    for position in range(1 if cluster.requeue else cluster.links):
        extra: dict[str, Any] = {"dependency": f"afterany:{jobs[-1]}"} if jobs else {}
        if cluster.requeue:
            extra["requeue"] = True
        name = f"{config.study}-{config.chain_name}"
        executor.update_parameters(**script.parameters(cluster, name, Path.cwd(), extra))
        restarts = cluster.links - 1 if cluster.requeue else 0
        try:
            submitted = executor.submit(job.run, str(config_file), command, code, restarts, successor=position > 0)
        except FailedJobError as error:
            raise slurm.refusal(error) from error
        jobs.append(submitted.job_id)
        newest = Submission(chains.now(), config_file.name, tuple(jobs))
        write_submissions(folder, [*submissions, newest])
    return jobs
