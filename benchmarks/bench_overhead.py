"""What our step costs over TRL's own: two trainers take turns, step by step, each in a process of its own.

Both do the same computation (same weights, prompts, seeds, settings and scorer; the rewards of every step are
compared), so that the ratio is what history, W&B, rollouts, candidates and states add. Prints the ratio. Words of the
command line are Hydra overrides, as ``model.path=FOLDER``.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ablation import config as configuration
from ablation.composing import compose_config
from ablation.config import Config
from ablation.machine import scoring_workers
from ablation.training.base_model import ensure_base_model
from ablation.training.process import LINK_ENVIRONMENT

STEPS = 60
WARM_UP = 3  # steps that are not counted
SIDES = ("ours", "bare")


def settings(runs_dir: Path, overrides: list[str]) -> Config:
    own = [
        "reward=shaped",
        f"chain.steps={STEPS}",
        "evaluation.save_tasks=0",
        *overrides,
        "study=overhead",
        f"runs_dir={runs_dir}",
    ]
    config = compose_config(own)
    config.arm = "shaped"
    return config


def turns(side: str, turn: int, done: int, runs_dir: Path, seed: int) -> Any:
    """Returns a callback that waits for its turn whenever a step is about to begin."""
    from transformers import TrainerCallback, set_seed

    from ablation.training.sampling import derived_seed

    rewards: list[float] = []

    class Turns(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            os.write(done, b"s")
            os.read(turn, 1)
            set_seed(derived_seed("sampling", seed, state.global_step + 1))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "reward" in logs:
                rewards.append(logs["reward"])

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            (runs_dir / f"{side}.json").write_text(json.dumps(rewards))
            os.write(done, b"s")

    return Turns()


def train_ours(config: Config, runs_dir: Path, callback: Any) -> None:
    from ablation.training import link

    chain_dir = runs_dir / "overhead" / "shaped-s0"
    chain_dir.mkdir(parents=True)
    configuration.save(config, chain_dir / "config.yaml")
    build = link.build_trainer

    def build_with_turns(*args: Any, **kwargs: Any) -> Any:
        trainer = build(*args, **kwargs)
        trainer.callback_handler.callbacks.insert(0, callback)
        return trainer

    link.build_trainer = build_with_turns
    link.train_link(config, chain_dir, 0)


def train_bare(config: Config, runs_dir: Path, callback: Any) -> None:
    """TRL's trainer with our prompts, settings and scorer, and nothing else of ours."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import GRPOTrainer

    from ablation.scoring.pool import ScoringPool, Submission
    from ablation.tasks.load import load_tasks
    from ablation.training.sampling import StepSampler
    from ablation.training.trainer import grpo_arguments

    tasks = load_tasks(config.tasks).train
    by_id = {task.task_id: task for task in tasks}
    with ScoringPool(scoring_workers()) as pool:

        def reward(completions: list[str], task_id: list[str], **_: Any) -> list[float | None]:
            verdicts = pool.score([Submission(by_id[i], text) for i, text in zip(task_id, completions, strict=True)])
            return [verdict.pass_ratio for verdict in verdicts]

        source = ensure_base_model(config)
        arguments = grpo_arguments(config, runs_dir / "bare")
        arguments.save_strategy = "no"
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(source),
            processing_class=AutoTokenizer.from_pretrained(source, padding_side="left"),
            reward_funcs=reward,
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": t.prompt, "task_id": t.task_id} for t in tasks]),
            callbacks=[callback],
        )
        trainer.remove_callback(PrinterCallback)
        trainer._get_train_sampler = lambda dataset=None: StepSampler(
            seed=config.seed,
            steps=config.chain.steps,
            prompts_per_step=config.grpo.prompts_per_step,
            num_generations=config.grpo.num_generations,
            accumulation=config.grpo.layout(1).gradient_accumulation_steps,
            n_tasks=len(tasks),
        )
        trainer.train()


class Side:
    """One of the two processes, which does a step when it is told to."""

    def __init__(self, name: str, runs_dir: Path, overrides: list[str]) -> None:
        turn_read, self._turn = os.pipe()
        self._done, done_write = os.pipe()
        arguments = [f"--side={name}", str(turn_read), str(done_write), str(runs_dir), *overrides]
        self.process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            pass_fds=(turn_read, done_write),
            env={**LINK_ENVIRONMENT, **os.environ},
            stderr=subprocess.DEVNULL,
        )
        os.close(turn_read)
        os.close(done_write)

    def wait(self) -> None:
        if not os.read(self._done, 1):
            raise RuntimeError(f"{self.process.args} ended before its last step")

    def step(self) -> float:
        """Returns the seconds from here to the beginning of the next step."""
        started = time.perf_counter()
        os.write(self._turn, b"g")
        self.wait()
        return time.perf_counter() - started


def main(overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        runs_dir = Path(scratch) / "runs"
        config = settings(runs_dir, overrides)
        ensure_base_model(config)
        sides = [Side(name, runs_dir, overrides) for name in SIDES]
        for side in sides:
            side.wait()
        pairs = [[side.step() for side in sides] for _ in range(config.chain.steps)][WARM_UP:]
        codes = [side.process.wait() for side in sides]
        ours, bare = (json.loads((runs_dir / f"{name}.json").read_text()) for name in SIDES)
    assert codes == [0, 0], f"the two sides ended with {codes}"
    assert ours == bare, "the two sides did not compute the same"
    means = [statistics.fmean(side) for side in zip(*pairs, strict=True)]
    print(f"{len(pairs)} steps each, equal rewards at every step")
    print(f"ours {means[0]:.3f} s/step, bare TRL {means[1]:.3f} s/step (means)")
    print(f"ratio of means {means[0] / means[1]:.3f}")
    print(f"median of the ratios step by step {statistics.median(a / b for a, b in pairs):.3f}")


def child(name: str, turn: int, done: int, runs_dir: Path, overrides: list[str]) -> None:
    config = settings(runs_dir, overrides)
    callback = turns(name, turn, done, runs_dir, config.seed)
    {"ours": train_ours, "bare": train_bare}[name](config, runs_dir, callback)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("--side="):
        side, turn, done, runs_dir, *words = sys.argv[1:]
        child(side.removeprefix("--side="), int(turn), int(done), Path(runs_dir), words)
    else:
        main(sys.argv[1:])
