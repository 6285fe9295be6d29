"""TRL's GRPOTrainer with the few things a chain needs that TRL does not do.

Departures from TRL 1.16: prompts come from (seed, step) instead of one shuffle; the full state is written
atomically and with a manifest; a step's parts are timed. Loss, advantages and generation are TRL's own.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import requests
import torch
from accelerate.utils import DistributedType, is_peft_model
from datasets import Dataset
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from ablation.config import Config
from ablation.tasks.prompts import Question
from ablation.training.checkpoints import staging_of, state_dir, write_state
from ablation.training.lora import adapters, merged
from ablation.training.places import free_port
from ablation.training.ranks import Ranks
from ablation.training.sampling import StepSampler, derived_seed
from ablation.training.vllm import SeededClient, vllm_arguments
from ablation.training.vllm_server import VllmServer

RewardFunction = Callable[..., list[float | None]]


class ChainTrainer(GRPOTrainer):
    """GRPOTrainer whose steps are a function of (seed, step) and whose states are complete or absent."""

    def __init__(
        self,
        *args: Any,
        sampler: StepSampler,
        resume_dir: Path,
        ranks: Ranks,
        seed: int,
        server: VllmServer | None = None,
        **kwargs: Any,
    ) -> None:
        self._sampler = sampler
        self._ranks = ranks
        self._resume_dir = resume_dir
        self._answering: int | None = None  # the seed of questions that are no step's
        self.generate_seconds = 0.0  # since the step began, without sync
        self.sync_seconds = 0.0
        super().__init__(*args, **kwargs)
        if self.use_vllm:
            self._send_weights = self.vllm_generation.sync_weights
            self.vllm_generation.sync_weights = self._sync_weights  # type: ignore[method-assign]  # to time it
            if is_peft_model(self.model):  # whose adapters TRL would merge in place, and take out again
                self.vllm_generation._iter_named_params = self._merged_for_vllm  # type: ignore[method-assign]
        self._server = server
        self._seed = seed
        if server is not None:
            self._seed_client()

    def _get_train_sampler(self, dataset: Dataset | None = None) -> Sampler:
        return self._sampler

    def _generate(self, prompts: list) -> Any:
        started, synced = time.perf_counter(), self.sync_seconds
        generated = super()._generate(prompts)
        self.generate_seconds += time.perf_counter() - started - (self.sync_seconds - synced)
        return generated

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        if self._server is not None and not self._server.healthy():
            self._serve_again()
        try:
            return super()._generate_single_turn(*args, **kwargs)
        except requests.RequestException:
            if self._server is None or self._server.healthy():
                raise
            self._serve_again()
            return super()._generate_single_turn(*args, **kwargs)  # samples what it would have: it has the same seeds

    def _sync_weights(self) -> None:
        started = time.perf_counter()
        self._send_weights()
        self.sync_seconds += time.perf_counter() - started

    def answers(self, prompts: Sequence[list[int]], n: int, seed: int) -> list[list[str]]:
        """Returns ``n`` completions of each prompt of tokens [prompts, n], sampled as those of a step are.

        What the next step draws is left as it was. Ranks ask together, as many prompts each.
        """
        flat = [ids for ids in prompts for _ in range(n)]
        kept = random.getstate(), np.random.get_state()
        with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
            set_seed(seed)
            self._answering = seed
            try:
                completion_ids, _ = self._generate_single_turn(flat, None, {}, n)
            finally:
                self._answering = None
                random.setstate(kept[0])
                np.random.set_state(kept[1])
        assert self.processing_class is not None
        texts = self.processing_class.batch_decode(completion_ids, skip_special_tokens=True)  # type: ignore[union-attr]
        return [texts[start : start + n] for start in range(0, len(texts), n)]

    def _merged_for_vllm(self) -> Iterator[tuple[str, torch.Tensor]]:
        for name, weight in merged(self.model):
            yield self.vllm_generation._fix_param_name_to_vllm(name), weight

    def _serve_again(self) -> None:
        """Starts the vLLM server anew, to get the weights of now before it samples.

        Raises:
            RuntimeError: other ranks wait for this one, and would not take part in that.
        """
        assert self._server is not None
        if self._ranks.world > 1:
            raise RuntimeError("the vLLM server is gone; type the same command again, whose link starts another")
        logging.warning("The vLLM server is gone; it is started again before step %d.", self.state.global_step + 1)
        self._server.restart()
        self.vllm_generation.group_port = free_port()  # the old one is still held
        self.vllm_generation._init_vllm()
        self._seed_client()
        self._last_loaded_step = -1  # TRL's note of which step's weights the server has

    def _seed_client(self) -> None:
        self.vllm_generation.vllm_client = SeededClient(
            self.vllm_generation.vllm_client,
            lambda: self._answering or derived_seed("sampling", self._seed, self.state.global_step + 1),
        )

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        step = self.state.global_step

        def write_part(folder: Path) -> None:
            self._ranks.wait()  # for the folder to be there
            self.args.output_dir = str(folder)
            try:
                # Trainer's, not GRPOTrainer's: that one adds a model card to every state.
                Trainer._save_checkpoint(self, model, trial)
            finally:
                self.args.output_dir = str(self._resume_dir)
            self._ranks.wait()  # for the parts of all

        def write(folder: Path) -> None:
            write_part(folder)
            inner = folder / f"checkpoint-{step}"
            for path in inner.iterdir():
                path.rename(folder / path.name)
            inner.rmdir()

        if self._ranks.is_main:
            write_state(self._resume_dir, step, write)
        else:
            write_part(staging_of(state_dir(self._resume_dir, step)))


def build_trainer(
    config: Config,
    *,
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    asked: list[Question],
    reward: RewardFunction,
    callbacks: list[TrainerCallback],
    resume_dir: Path,
    ranks: Ranks = Ranks(),  # noqa: B008  # frozen
    positions: int = 0,
    server: VllmServer | None = None,
) -> ChainTrainer:
    """Returns a trainer for ``config.chain.steps`` steps that asks ``reward`` and tells ``callbacks``.

    ``positions``: tokens of the longest prompt and completion together, for vLLM.
    """
    dataset = Dataset.from_dict(
        {
            "prompt": [question.prompt for question in asked],
            "task_id": [question.task.task_id for question in asked],
        }
    )
    sampler = StepSampler(
        seed=config.seed,
        steps=config.chain.steps,
        prompts_per_step=config.grpo.prompts_per_step,
        num_generations=config.grpo.num_generations,
        accumulation=config.grpo.layout(ranks.world).gradient_accumulation_steps,
        n_tasks=len(asked),
    )
    trainer = ChainTrainer(
        sampler=sampler,
        resume_dir=resume_dir,
        ranks=ranks,
        seed=config.seed,
        server=server,
        model=model,
        reward_funcs=reward,
        peft_config=adapters(config.model.lora),
        args=grpo_arguments(config, resume_dir, ranks.world, vllm_arguments(config, positions, server)),
        train_dataset=dataset,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    if config.cluster.fsdp and trainer.accelerator.distributed_type != DistributedType.FSDP:  # silently
        raise RuntimeError(
            f"cluster.fsdp=true, but accelerate trains by {trainer.accelerator.distributed_type.value}: it shares "
            "weights out among GPUs alone; set cluster.fsdp=false"
        )
    return trainer


def grpo_arguments(
    config: Config, resume_dir: Path, world_size: int = 1, of_vllm: Mapping[str, Any] = MappingProxyType({})
) -> GRPOConfig:
    """Returns TRL's arguments for a chain."""
    grpo, sampling = config.grpo, config.sampling
    cuda = torch.cuda.is_available()
    if cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise RuntimeError(
            f"chains train in bf16, which {torch.cuda.get_device_name()} does not have; use a GPU of the Ampere "
            "generation (A100, L40, H100) or a later one"
        )
    layout = grpo.layout(world_size)
    return GRPOConfig(
        output_dir=str(resume_dir),
        max_steps=config.chain.steps,
        seed=config.seed,
        per_device_train_batch_size=layout.per_device_train_batch_size,
        gradient_accumulation_steps=layout.gradient_accumulation_steps,
        steps_per_generation=layout.gradient_accumulation_steps,
        num_generations=grpo.num_generations,
        num_iterations=grpo.num_iterations,
        learning_rate=grpo.learning_rate,
        warmup_steps=grpo.warmup_steps,
        lr_scheduler_type="constant_with_warmup",  # a chain can be extended without changing its past
        loss_type=grpo.loss_type,
        scale_rewards=grpo.scale_rewards,
        beta=grpo.beta,
        epsilon=grpo.epsilon,
        max_grad_norm=grpo.max_grad_norm,
        weight_decay=grpo.weight_decay,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_completion_length=sampling.max_completion_length,
        chat_template_kwargs=config.model.prompt.chat_template_kwargs,
        use_cpu=not cuda,
        bf16=cuda,
        ddp_find_unused_parameters=False,
        fsdp=config.cluster.fsdp or None,  # type: ignore[arg-type]  # its annotation is of the text it once was
        gradient_checkpointing=cuda,
        logging_steps=1,
        save_strategy="steps",
        save_steps=config.chain.resume_every,
        report_to="none",
        disable_tqdm=True,
        log_completions=False,
        dataloader_pin_memory=cuda,
        **of_vllm,
    )
