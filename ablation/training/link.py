"""One link of a chain: the process that trains. Run by the supervisor as

``python -m ablation.training.link CHAIN_DIR LINK``, with a pipe as standard input that the supervisor holds
open: when it closes, the supervisor is gone and the link ends too.
"""

import gc
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, set_seed
from transformers.utils import logging as transformers_logging

from ablation import config as configuration
from ablation.config import Config
from ablation.machine import scoring_workers
from ablation.scoring.pool import ScoringPool
from ablation.scoring.sandbox import tier_name
from ablation.tasks.load import load_tasks
from ablation.tasks.prompt_lengths import fitting, limit_of, positions_of
from ablation.tasks.prompts import questions
from ablation.tracking import Tracker
from ablation.training import lease
from ablation.training.accounting import Accounting
from ablation.training.base_model import base_model_path
from ablation.training.chain import STOPPED, history_rows
from ablation.training.checkpoints import drop_candidates, drop_leftovers, latest_state, saved_steps
from ablation.training.lifeline import end_with_parent
from ablation.training.lora import base_dtype, trained_parameters
from ablation.training.orders import Orders
from ablation.training.pace import Stopwatch, measured
from ablation.training.process import Ending, last_words
from ablation.training.ranks import Ranks
from ablation.training.recorder import Log, ScoringReward, StepRecorder
from ablation.training.rollouts import RolloutWriter
from ablation.training.stopping import Stopping
from ablation.training.trainer import ChainTrainer, build_trainer
from ablation.training.validation import Validation
from ablation.training.vllm_server import VllmServer
from analysis.errors import AnalysisError
from analysis.selection import Rule, pick


def train_link(
    config: Config,
    chain_dir: Path,
    link: int,
    orders: Orders = Orders(),  # noqa: B008  # frozen
    ranks: Ranks = Ranks(),  # noqa: B008  # frozen
) -> Ending:
    """Trains from the newest valid state until ``config.chain.steps``, a signal, or the job's end."""
    guard = partial(lease.check, chain_dir, orders.lease) if orders.lease else None
    if guard is not None:
        guard()
    state = ranks.from_main(lambda: _cleared(chain_dir, ranks.world))
    first_step = state[0] + 1 if state else 1
    earlier = list(history_rows(chain_dir))
    with ExitStack() as stack:
        workers = config.cluster.scoring_workers or scoring_workers(orders.ranks_here)
        pool = stack.enter_context(ScoringPool(workers, tier_name(config)))
        log = closing = None
        if ranks.is_main:
            tracker = Tracker(config, chain_dir, link=link, first_step=first_step)
            closing = stack.enter_context(_Closing(tracker))
            _refuse_holes(chain_dir, tracker, first_step)
            log = Log(tracker, RolloutWriter(chain_dir / "rollouts", first_step))
        stopping = Stopping(orders.job, Stopwatch(measured(earlier)), ranks.first_said)
        begun = _Begun(config, chain_dir, link, ranks, pool, log, stopping, guard, earlier, orders.job.began_s)
        trainer = _assemble(begun, stack)
        stopping.watch.started(time.monotonic() - orders.job.began_s)
        stopping.listen()
        gc.collect()
        gc.freeze()  # a million objects of imports and model, which each collection of a step's would look through
        if stopping.reason():
            return Ending("failed", stopping.too_short()) if stopping.too_short() else Ending("stopped", stopping.said)
        trainer.train(resume_from_checkpoint=str(state[1]) if state else None)
        complete = trainer.state.global_step >= config.chain.steps
        if closing is not None:
            closing.summary = _pick_summary(config, chain_dir, closing.tracker) if complete else {}
    return Ending("complete") if complete else Ending("stopped", stopping.said)


def _cleared(chain_dir: Path, ranks: int) -> tuple[int, Path] | None:
    """Returns step and folder of the state to go on from, after removing what an earlier link left beyond it."""
    resume_dir = chain_dir / "resume"
    resume_dir.mkdir(exist_ok=True)
    for folder in (resume_dir, chain_dir / "checkpoints"):
        drop_leftovers(folder)
    state = latest_state(resume_dir, ranks)
    drop_candidates(chain_dir, state[0] + 1 if state else 1)
    return state


def _refuse_holes(chain_dir: Path, tracker: Tracker, first_step: int) -> None:
    """Raises RuntimeError when the history has not every step before the first: rows are on disk before states."""
    missing = sorted({*range(1, first_step)} - {*tracker.rewards})
    if missing:
        raise RuntimeError(
            f"{chain_dir / 'history.jsonl'} lacks rows of steps {missing[0]} to {missing[-1]}, which the state after "
            f"step {first_step - 1} counts; put the file back, or move {chain_dir} away and run the same command again"
        )


@dataclass(frozen=True)
class _Begun:
    """A link before it has a trainer."""

    config: Config
    chain_dir: Path
    link: int
    ranks: Ranks
    pool: ScoringPool
    log: Log | None  # of the main rank
    stopping: Stopping
    guard: Callable[[], None] | None
    earlier: Sequence[Mapping[str, Any]]  # rows of the history
    began_s: float  # when its supervisor began, by the monotonic clock


def _assemble(begun: _Begun, stack: ExitStack) -> ChainTrainer:
    """Returns the link's trainer; what has to end with it is in ``stack``."""
    config, ranks = begun.config, begun.ranks
    splits = load_tasks(config.tasks)
    set_seed(config.seed)
    source = base_model_path(config)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=base_dtype(config.model.lora))
    tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
    limit = limit_of(config.sampling, positions_of(model.config))
    asked, held_out = (
        fitting(questions(tasks, config.model.prompt, tokenizer), limit).asked
        for tasks in (splits.train, splits.validation)
    )
    reward = ScoringReward(config, {question.task.task_id: question for question in asked}, begun.pool, ranks.rank)
    accounting = Accounting(model.num_parameters(), ranks.world + config.generation.own_gpus, begun.earlier)
    recorder = StepRecorder(
        config,
        begun.chain_dir,
        reward,
        begun.log,
        begun.stopping,
        accounting,
        begun.began_s,
        ranks,
        begun.guard,
        Validation(config, held_out, begun.pool, ranks) if held_out and config.evaluation.save_tasks else None,
    )
    positions = max(len(question.ids) for question in [*asked, *held_out]) + config.sampling.max_completion_length
    server = None
    if config.generation.engine == "vllm_server" and ranks.is_main:
        log_file = begun.chain_dir / "logs" / f"vllm-{begun.link}.log"
        server = stack.enter_context(VllmServer(config, source, positions, log_file))
    trainer = build_trainer(
        config,
        model=model,
        tokenizer=tokenizer,
        asked=asked,
        reward=reward,
        callbacks=[recorder],
        resume_dir=begun.chain_dir / "resume",
        ranks=ranks,
        positions=positions,
        server=server,
    )
    trainer.remove_callback(PrinterCallback)
    recorder.trainer = trainer
    assert trainer.model is not None
    accounting.trained = trained_parameters(trainer.model)
    return trainer


class _Closing:
    """Closes the tracker when the link ends, saying whether it failed."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.summary: dict[str, Any] = {}

    def __enter__(self) -> "_Closing":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.tracker.close(self.summary, failed=kind is not None)


def _pick_summary(config: Config, chain_dir: Path, tracker: Tracker) -> dict[str, Any]:
    """Returns the selection rule's pick for the summary of the W&B run."""
    rule = Rule(span=config.selection.span, skip_first=config.selection.skip_first, save_every=config.chain.save_every)
    saved = [step for step in saved_steps(chain_dir / "checkpoints") if step in config.chain.save_grid]
    try:
        chosen = pick(tracker.rewards, saved, rule)
    except AnalysisError as error:
        logging.warning("%s", error)
        return {}
    return {"pick/step": chosen.step, "pick/score": chosen.score, "pick/rule": rule.text}


def main() -> int:
    end_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.captureWarnings(True)
    transformers_logging.disable_progress_bar()
    chain_dir, link = Path(sys.argv[1]), int(sys.argv[2])
    config = configuration.load(chain_dir / "config.yaml")
    ranks = Ranks.joined()
    ending = train_link(config, chain_dir, link, Orders.given(), ranks)
    ranks.leave()
    if ending.message and ranks.is_main:
        last_words(chain_dir / "logs" / f"link-{link}.log").write_text(ending.message, encoding="utf-8")
    return {"complete": 0, "stopped": STOPPED}.get(ending.status, 1)


if __name__ == "__main__":
    raise SystemExit(main())
