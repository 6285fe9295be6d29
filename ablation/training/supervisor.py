"""Runs one chain in a fresh child process, keeps its record, and says how it goes."""

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import SoftFileLease

from ablation import config as configuration
from ablation import metrics
from ablation.chain_files import RECENT
from ablation.chain_state import pace
from ablation.config import Config, ConfigError
from ablation.printing import score
from ablation.scoring.sandbox import tier_name
from ablation.tasks.load import load_tasks
from ablation.tasks.membership import write_membership
from ablation.training import chain as chains
from ablation.training import lease
from ablation.training.asking import how_asked
from ablation.training.base_model import base_model_path
from ablation.training.job_time import JobTime, job_time
from ablation.training.lease import LeaseLostError
from ablation.training.links import begin_link, bury_dead_link, end_link, is_automatic
from ablation.training.meeting import Meeting, RankFailedError
from ablation.training.orders import Orders
from ablation.training.places import all_here
from ablation.training.process import Ending, LinkProcess, sweep_is_over

_SAY_EVERY_S = 10.0


@dataclass(frozen=True)
class ChainResult:
    """How a chain stands after this command."""

    arm: str
    seed: int
    status: str  # complete | unchanged | stopped | failed | refused
    step: int
    steps: int
    seconds: float  # of this command
    reward: float | None = None  # at the last step, as are the next two
    pass_ratio: float | None = None
    solved: float | None = None
    log: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.status in ("complete", "unchanged")


def run_chain(config: Config, command: str = "", meeting: Meeting | None = None) -> ChainResult:
    """Trains the chain until it has ``config.chain.steps`` steps, resuming what there is.

    ``command`` is recorded: what a person types to train the study again. With a ``meeting`` this process starts the
    main rank alone, and other tasks of the job the others.
    Raises ConfigError when the folder belongs to something else or is in use.
    """
    job = job_time(config.cluster.time_min)
    folder = chains.chain_dir(config)
    _make(folder)
    with lease.held(folder, lambda text: _say(config, text)) as claim:
        record = chains.open_record(config)
        if chains.is_complete(folder, record, config):
            _say(config, f"already complete with {record.steps} steps")
            return _result(config, folder, Ending("complete"), 0.0, "", status="unchanged")
        if sweep_is_over():
            return _result(config, folder, Ending("stopped", "the sweep was stopped before its turn"), 0.0, "")
        bury_dead_link(folder, record)
        if is_automatic() and record.given_up:
            return _result(config, folder, Ending("failed", f"no link follows: {record.given_up}"), 0.0, "")
        return _run_link(config, folder, record, command, job, claim, meeting)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}); make it writable, or choose another place with runs_dir=…"
        ) from error


def _run_link(
    config: Config,
    folder: Path,
    record: chains.ChainRecord,
    command: str,
    job: JobTime,
    claim: SoftFileLease,
    meeting: Meeting | None,
) -> ChainResult:
    tier = tier_name(config)
    base_model, tasks, asked = base_model_path(config), load_tasks(config.tasks), how_asked(config)
    chains.refuse_other_data(folder, record, base_model, tasks, asked)
    chains.refuse_other_ranks(folder, record, config)
    write_membership(folder.parent, tasks)
    link = begin_link(config, record, folder)
    record.tier, record.base_model, record.tasks_fingerprint = tier, base_model, tasks.fingerprint
    record.audit, record.prompts = asdict(tasks.audit), asdict(asked)
    record.command = command or record.command
    configuration.save(config, folder / "config.yaml")
    chains.write_record(folder, record)
    log = folder / "logs" / f"link-{link.link}.log"
    started, ending = time.monotonic(), Ending("failed", "the supervisor ended")
    progress = _Progress(config, folder, link.link)

    def tick() -> None:
        if claim.compromise is not None:
            raise LeaseLostError(
                f"the lease of {folder} was lost ({claim.compromise.reason}) to {lease.holder(folder)}"
            )
        if meeting is not None:
            meeting.check()
        progress.tick()

    _say(config, f"link {link.link} started")
    try:
        place = all_here(config) if meeting is None else meeting.call(link.link, claim.token or "")
        ending = LinkProcess(folder, link.link, log, Orders(claim.token or "", job), place).run(tick)
    except (LeaseLostError, RankFailedError) as error:
        ending = Ending("failed", str(error))
    finally:
        _record_end(config, folder, record, ending, claim)
    seconds = time.monotonic() - started
    why = f": {ending.message} (see {log})" if ending.message else ""
    _say(config, f"{ending.status} after {seconds:.0f} s{why}")
    if record.given_up:
        _say(config, f"no link follows by itself: {record.given_up}")
    return _result(config, folder, ending, seconds, str(log))


def _record_end(config: Config, folder: Path, record: chains.ChainRecord, ending: Ending, claim: SoftFileLease) -> None:
    try:
        lease.check(folder, claim.token or "")
        end_link(folder, record, ending.status, ending.message)
    except (OSError, LeaseLostError) as error:  # the next link finds out by itself
        _say(config, f"how the link ended was not recorded: {error}")


class _Progress:
    """Prints step, rate and ETA of a link now and then."""

    def __init__(self, config: Config, folder: Path, link: int) -> None:
        self._config, self._folder, self._link = config, folder, link
        self._said = time.monotonic()

    def tick(self) -> None:
        if time.monotonic() - self._said >= _SAY_EVERY_S:
            self._said = time.monotonic()
            rows = [row for row in chains.history_rows(self._folder) if row.get(metrics.LINK) == self._link]
            _say(self._config, self._line(rows) if rows else "starting")

    def _line(self, rows: list[dict[str, Any]]) -> str:
        row, steps, rate = rows[-1], self._config.chain.steps, pace(rows[-RECENT:]) or 0.0
        eta = rate * (steps - row[metrics.STEP])
        return (
            f"step {row[metrics.STEP]}/{steps}  {rate:.2f} s/step  reward {score(row.get(metrics.REWARD_TRAIN))}  "
            f"solved {score(row.get(metrics.SOLVED))}  ETA {int(eta // 60)}:{int(eta % 60):02d}"
        )


def _say(config: Config, text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {config.chain_name:<24} {text}", flush=True)


def _result(
    config: Config, folder: Path, ending: Ending, seconds: float, log: str, status: str | None = None
) -> ChainResult:
    assert config.arm is not None
    rows = list(chains.history_rows(folder))
    last: dict[str, Any] = rows[-1] if rows else {}
    return ChainResult(
        arm=config.arm,
        seed=config.seed,
        status=status or ending.status,
        step=last.get(metrics.STEP, 0),
        steps=config.chain.steps,
        seconds=seconds,
        reward=last.get(metrics.REWARD_TRAIN),
        pass_ratio=last.get(metrics.PASS_RATIO),
        solved=last.get(metrics.SOLVED),
        log=log,
        message=ending.message,
    )
