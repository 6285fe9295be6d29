"""What happens around every step of a chain: seeds, the reward, the row of the history, the candidate and its scores.

On every rank: the main one alone writes, of what all have made.
"""

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from accelerate.utils import is_peft_model
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, set_seed

from ablation import metrics
from ablation.config import Config
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.rewards import REWARDS, reward_function
from ablation.tasks.prompts import Question, Spoken, spoken_text
from ablation.tracking import Tracker
from ablation.training.accounting import Accounting
from ablation.training.checkpoints import candidate_dir, write_folder
from ablation.training.lora import merged
from ablation.training.ranks import Ranks
from ablation.training.rollouts import RolloutWriter
from ablation.training.samples import Sample, step_metrics
from ablation.training.sampling import derived_seed
from ablation.training.stopping import Stopping
from ablation.training.trainer import ChainTrainer
from ablation.training.validation import Validation
from ablation.training.vllm import WeightsWatch
from analysis.ema import Ema

_TRL_TIMES = ("step_time",)  # TRL metrics that are seconds
_TRL_DROPPED = ("epoch", "total_flos")  # depend on how many steps the link was told to do


class ScoringReward:
    """TRL's reward function: executes candidates, returns the arm's reward, keeps every reward.

    A sample that could not be scored gets None, which TRL leaves out of its group's baseline.
    """

    __name__ = "reward"  # TRL names its metrics after it: the same in every arm

    def __init__(self, config: Config, asked: Mapping[str, Question], pool: ScoringPool, rank: int = 0) -> None:
        """``asked``: the questions of training, by task."""
        self._rank = rank
        self._reward = reward_function(config.reward.name, config.reward.params)
        self._num_generations = config.grpo.num_generations
        self._asked = asked
        self._pool = pool
        self.samples: list[Sample] = []  # of this rank, of the step that was scored last
        self.seconds = 0.0

    def __call__(self, *, completions: Sequence[Spoken], task_id: Sequence[str], **_: Any) -> list[float | None]:
        started = time.perf_counter()
        asked = [self._asked[i] for i in task_id]
        texts = [spoken_text(question.text, said) for question, said in zip(asked, completions, strict=True)]
        verdicts = self._pool.score(
            [Submission(question.task, text) for question, text in zip(asked, texts, strict=True)]
        )
        first = self._rank * len(texts) // self._num_generations  # every rank has as many groups
        self.samples = [
            Sample(
                group=first + index // self._num_generations,
                sample=index % self._num_generations,
                prompt=question.text,
                completion=text,
                verdict=verdict,
                rewards={name: function(verdict) for name, function in REWARDS.items()},
                train_reward=self._reward(verdict),
            )
            for index, (question, text, verdict) in enumerate(zip(asked, texts, verdicts, strict=True))
        ]
        self.seconds = time.perf_counter() - started
        return [sample.train_reward for sample in self.samples]


class Log(NamedTuple):
    """Where the main rank writes what a step was."""

    tracker: Tracker
    rollouts: RolloutWriter


class StepRecorder(TrainerCallback):
    """Seeds each step, and records it: rollouts and candidate when it ends, its row when TRL logs it."""

    def __init__(
        self,
        config: Config,
        chain_dir: Path,
        reward: ScoringReward,
        log: Log | None,
        stopping: Stopping,
        accounting: Accounting,
        began_s: float,
        ranks: Ranks = Ranks(),  # noqa: B008  # frozen
        guard: Callable[[], None] | None = None,
        validation: Validation | None = None,
    ) -> None:
        """``log`` is of the main rank. ``began_s``: when the link's supervisor began, by the monotonic clock. ``guard``
        raises when nothing of the chain may be written any more.
        """
        self._config = config
        self._chain_dir = chain_dir
        self._reward = reward
        self._log = log
        self._stopping = stopping
        self._accounting = accounting
        self._began_s = began_s
        self._ranks = ranks
        self._guard = guard
        self._validation = validation
        self._watch = WeightsWatch(config.generation)
        self._ema = Ema(config.selection.span)
        for earlier in log.tracker.rewards.values() if log else ():
            self._ema.update(earlier)
        self._row: dict[str, Any] = {}
        self._started = 0.0
        self._ended: float | None = None  # of the step before, in this link
        self._between = 0.0
        self._saving: float | None = None  # seconds, after the step before
        self._validating = 0.0  # seconds, after this step
        self.trainer: ChainTrainer | None = None  # set once it is built: it wants its callbacks first

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        state.save_steps = args.save_steps  # not those of the link that wrote the state

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        assert self.trainer is not None
        # Ranks that sample with one copy of vLLM's weights draw the same.
        rank = self._ranks.rank // self._config.generation.tensor_parallel_size
        set_seed(derived_seed("sampling", self._config.seed, state.global_step + 1, *([rank] if rank else [])))
        self.trainer.generate_seconds = self.trainer.sync_seconds = 0.0
        self._accounting.begin(state.num_input_tokens_seen)
        self._started = time.perf_counter()
        self._between = 0.0 if self._ended is None else self._started - self._ended

    def on_step_end(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel | None = None,
        **_: Any,
    ) -> None:
        assert self.trainer is not None
        assert model is not None
        self._ended = time.perf_counter()
        self._validating = 0.0
        step_seconds = self._ended - self._started
        first = self._stopping.watch.made_steps == 0
        self._stopping.watch.step(step_seconds)
        step, samples = state.global_step, self._ranks.gathered(self._reward.samples)
        if self._log is not None:
            self._make_row(samples, step_seconds, first)
            if self._guard is not None:
                self._guard()
            self._log.rollouts.add(step, samples)
        if step in self._config.chain.save_grid:
            self._save_candidate(step, model)
            self._validate()
        if step < self._config.chain.steps and self._stopping.reason():
            control.should_training_stop = control.should_save = True
        if self._log is not None and control.should_save:
            self._log.rollouts.flush()

    def _make_row(self, samples: Sequence[Sample], step_seconds: float, first: bool) -> None:
        assert self.trainer is not None
        generate, score, sync = self.trainer.generate_seconds, self._reward.seconds, self.trainer.sync_seconds
        self._row = step_metrics(samples)
        self._row[metrics.REWARD_EMA] = self._ema.update(self._row[metrics.REWARD_TRAIN])
        self._row |= {
            metrics.TIME_GENERATE: generate,
            metrics.TIME_SYNC: sync,
            metrics.TIME_SCORE: score,
            metrics.TIME_UPDATE: step_seconds - generate - sync - score,
            metrics.TIME_STEP: step_seconds,
            metrics.TIME_BETWEEN: self._between,
            metrics.TIME_SAVE: self._saving,
            metrics.TIME_VALIDATE: None,
            metrics.TIME_STARTUP: self._stopping.watch.pace.startup_s if first else None,
            metrics.PEAK_MEMORY_MB: peak_memory_mb(),
        }
        self._saving = None

    def _validate(self) -> None:
        if self._validation is None:
            return
        assert self.trainer is not None
        started = time.perf_counter()
        self._row |= self._validation.scores(self.trainer)
        self._validating = time.perf_counter() - started
        self._row[metrics.TIME_VALIDATE] = self._validating

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if self._log is None or logs is None or "loss" not in logs:
            return  # the summary at the end of training is not a step
        trl = {
            f"time/trl_{name}" if name in _TRL_TIMES else f"{metrics.TRL_PREFIX}{name}": value
            for name, value in logs.items()
            if name not in _TRL_DROPPED
        }
        cost = self._accounting.row(
            self._row,
            logs,
            tokens=state.num_input_tokens_seen,
            samples=self._config.grpo.train_batch_size,
            link_s=time.monotonic() - self._began_s,
        )
        self._log.tracker.log(state.global_step, {**self._row, **cost, **trl})
        if control.should_save:  # the state that is written next counts this row
            self._log.tracker.sync()
        self._watch.look(state.global_step, logs)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        assert self._ended is not None
        after_step = time.perf_counter() - self._ended
        self._saving = after_step - self._validating
        self._stopping.watch.save(after_step)
        if self._stopping.reason():  # a signal came while the state was written
            control.should_training_stop = True

    def _save_candidate(self, step: int, model: PreTrainedModel) -> None:
        assert self.trainer is not None
        trainer, tokenizer = self.trainer, self.trainer.processing_class
        assert tokenizer is not None

        whole: Any = trainer.accelerator.unwrap_model(model)
        weights: dict[str, Any] | None = None
        if is_peft_model(whole):  # a candidate is a model like any other
            weights, whole = dict(merged(whole)), whole.get_base_model()
        elif self._ranks.world > 1:  # of weights that lie in pieces on the ranks each gives its own
            weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
            for tied in whole.all_tied_weights_keys if weights else ():  # its pieces were put together once more
                weights.pop(tied, None)

        def write(folder: Path) -> None:
            whole.save_pretrained(folder, state_dict=weights)
            tokenizer.save_pretrained(folder)

        if self._ranks.is_main:
            write_folder(candidate_dir(self._chain_dir, step), write)


def peak_memory_mb() -> float:
    """Returns the peak resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
