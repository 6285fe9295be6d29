"""What surrounds the chains of one command: checking all of them first, the table of results last.

Chains that are to be planned or submitted are so here, all at once, and no job of the sweep is ever launched.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from ablation.cluster.command import without_training
from ablation.composing import report_config_errors, sweep_command, sweep_configs
from ablation.config import Config, ConfigError
from ablation.printing import score, table
from ablation.training.asking import how_asked
from ablation.training.base_model import ensure_base_model
from ablation.training.chain import open_record
from ablation.training.process import SWEEP_PID, SWEEP_STOP
from ablation.training.supervisor import ChainResult

FAILED = 1  # exit code of a command of which some chain did not end well


class SweepCallback(Callback):
    """Refuses a sweep of which one chain cannot run, builds base models, and prints the table of all chains.

    A sweep that is planned or submitted ends here.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        # Hydra turns exceptions of callbacks into warnings, so this one leaves by SystemExit.
        with report_config_errors(everything=True):
            configs = sweep_configs(config.hydra)
            for chain in configs:
                open_record(chain)
            names = [chain.chain_name for chain in configs]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ConfigError(
                    f"the sweep asks for {', '.join(twice)} more than once; sweep over seeds and scientific keys "
                    "alone, each value once."
                )
            print(f"study {configs[0].study}: {len(names)} chains: {', '.join(names)}", flush=True)
            said = without_training(configs, sweep_command(config.hydra))
            if said is not None:
                print(said, flush=True)
                sys.exit()
            for chain in configs:
                ensure_base_model(chain)
                how_asked(chain)
        os.environ[SWEEP_PID] = str(os.getpid())
        os.environ[SWEEP_STOP] = str(Path(config.hydra.sweep.dir).absolute() / "stop")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop_sweep)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        files = sorted(Path(config.hydra.sweep.dir).glob("*/result.json"), key=lambda path: int(path.parent.name))
        results = [ChainResult(**json.loads(file.read_text())) for file in files]
        print(results_table(results), flush=True)
        if not all(result.ok for result in results):
            sys.exit(FAILED)


def _stop_sweep(number: int, _: object) -> None:
    """Asks every chain to end after its running step, by a file that their supervisors watch; then waits."""
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    Path(os.environ[SWEEP_STOP]).touch()
    print("Stopping: every chain saves its state after the running step. Once more to kill them.", flush=True)


class _Outcome:
    """What became of one job, for the table of the sweep or the exit code of a single run."""

    def __init__(self) -> None:
        self.result = ChainResult("?", 0, "refused", 0, 0, 0.0)

    def begin(self, config: Config) -> None:
        assert config.arm is not None
        self.result = ChainResult(config.arm, config.seed, "refused", 0, config.chain.steps, 0.0)

    def end(self, result: ChainResult) -> None:
        self.result = result


@contextlib.contextmanager
def recording() -> Iterator[_Outcome]:
    """Writes the job's result where the sweep finds it; a single run exits by it."""
    outcome = _Outcome()
    multirun = HydraConfig.get().mode == RunMode.MULTIRUN
    if multirun and os.environ.get(SWEEP_PID) != str(os.getpid()):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the sweep, which asks its chains to stop
    try:
        yield outcome
    except Exception as error:  # one chain's trouble must not hide the others
        if not multirun:
            with report_config_errors():
                raise
        status = "refused" if isinstance(error, ConfigError) else "failed"
        outcome.end(ChainResult(**asdict(outcome.result) | {"status": status, "message": _one_line(error)}))
    if multirun:
        path = Path(HydraConfig.get().runtime.output_dir) / "result.json"
        path.write_text(json.dumps(asdict(outcome.result)))
    else:
        print(results_table([outcome.result]), flush=True)
        if not outcome.result.ok:
            sys.exit(FAILED)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ConfigError) else f"{type(error).__name__}: {text}"


def results_table(results: Sequence[ChainResult]) -> str:
    """Returns the table of all chains, with the reason of each that did not end well below it."""
    header = ("arm", "seed", "status", "steps", "reward", "pass ratio", "solved", "seconds", "log")
    rows = [
        (
            r.arm,
            str(r.seed),
            r.status,
            f"{r.step}/{r.steps}",
            *map(score, (r.reward, r.pass_ratio, r.solved)),
            f"{r.seconds:.0f}",
            r.log or "-",
        )
        for r in results
    ]
    lines = table(header, rows)
    lines += [f"{r.arm}-s{r.seed} {r.status}: {r.message}" for r in results if r.message]
    if results and all(r.status == "unchanged" for r in results):
        lines.append("Nothing to do: every chain is complete.")
    return "\n".join(["", *lines])
