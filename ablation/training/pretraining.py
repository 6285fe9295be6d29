"""The tiny base model: a Qwen3 of half a million weights, really pre-trained on a synthetic corpus.

It stands in for a base model from a hub wherever there is no GPU or no network. Deterministic for a given
configuration on one machine: fixed seeds and a fixed number of threads.
Run as ``python -m ablation.training.pretraining CONFIG_YAML FOLDER``.
"""

import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging as transformers_logging

from ablation import config as configuration
from ablation.config import Architecture, ModelConfig, PretrainingConfig
from ablation.tasks import katas
from ablation.training.base_model import held_out_prompts
from ablation.training.lifeline import end_with_parent

PAD, EOS = "<|pad|>", "<|endoftext|>"
_BUCKET = 16  # batches that are sorted by length together
_IGNORED = -100  # label of tokens that the loss leaves out
Encoded = tuple[list[int], int]  # token ids of prompt and completion, length of the prompt


def build(model_config: ModelConfig, corpus: Iterable[tuple[str, str]], folder: Path) -> None:
    """Trains tokenizer and model on ``corpus``, (prompt, body) pairs without end, and saves both."""
    pretraining = model_config.pretraining
    torch.set_num_threads(pretraining.threads)
    examples = list(itertools.islice(corpus, pretraining.steps * pretraining.batch_size))
    tokenizer = train_tokenizer((prompt + body for prompt, body in examples), model_config.architecture.vocab_size)
    torch.manual_seed(pretraining.seed)
    model = Qwen3ForCausalLM(_qwen3_config(model_config.architecture, tokenizer))
    pretrain(model, _encode(tokenizer, examples), pretraining)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    transformers_logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Returns a byte-level BPE tokenizer whose pieces may span words, but neither digits nor lines.

    Merging across white space (Liu et al. 2025, SuperBPE, arXiv 2503.13423) makes sequences 30 % shorter here
    than pieces of one word; every digit is a token of its own.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.Split(Regex(r"\n"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=[PAD, EOS], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, padding_side="left")


def _qwen3_config(architecture: Architecture, tokenizer: PreTrainedTokenizerFast) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=architecture.hidden_size,
        num_hidden_layers=architecture.num_hidden_layers,
        num_attention_heads=architecture.num_attention_heads,
        num_key_value_heads=architecture.num_key_value_heads,
        head_dim=architecture.head_dim,
        intermediate_size=architecture.intermediate_size,
        max_position_embeddings=architecture.max_position_embeddings,
        tie_word_embeddings=architecture.tie_word_embeddings,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )


def _encode(tokenizer: PreTrainedTokenizerFast, examples: list[tuple[str, str]]) -> list[Encoded]:
    prompts = tokenizer([prompt for prompt, _ in examples])["input_ids"]
    bodies = tokenizer([body for _, body in examples])["input_ids"]
    eos = tokenizer.eos_token_id
    return [([*prompt, *body, eos], len(prompt)) for prompt, body in zip(prompts, bodies, strict=True)]


def pretrain(model: Qwen3ForCausalLM, encoded: list[Encoded], config: PretrainingConfig) -> None:
    """Trains ``model`` in place with next-token loss on the completions; one optimizer step a batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.0)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / config.warmup_steps, total_iters=config.warmup_steps)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps - config.warmup_steps)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[config.warmup_steps])
    model.train()
    batches = itertools.islice(_batches(encoded, config.batch_size, config.seed), config.steps)
    progress = tqdm(
        batches,
        total=config.steps,
        desc="Pre-training the tiny base model",
        unit="step",
        mininterval=0.5 if sys.stderr.isatty() else 15,
    )
    for input_ids_BT, labels_BT in progress:
        attention_mask_BT = (input_ids_BT != model.config.pad_token_id).long()
        loss = model(input_ids=input_ids_BT, attention_mask=attention_mask_BT, labels=labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def _batches(encoded: list[Encoded], batch_size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yields (input ids, labels), both [batch, tokens]; examples of like length share a batch."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(encoded), generator=generator).tolist()
        for start in range(0, len(order), _BUCKET * batch_size):
            bucket = order[start : start + _BUCKET * batch_size]
            bucket.sort(key=lambda i: len(encoded[i][0]))
            batches = [bucket[i : i + batch_size] for i in range(0, len(bucket) - batch_size + 1, batch_size)]
            for index in torch.randperm(len(batches), generator=generator).tolist():
                yield _collate([encoded[i] for i in batches[index]])


def _collate(batch: list[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids, _ in batch)
    input_ids_BT = torch.zeros(len(batch), width, dtype=torch.long)  # PAD is token 0
    labels_BT = torch.full((len(batch), width), _IGNORED)
    for row, (ids, prompt_length) in enumerate(batch):
        input_ids_BT[row, : len(ids)] = torch.tensor(ids)
        labels_BT[row, prompt_length : len(ids)] = torch.tensor(ids[prompt_length:])
    return input_ids_BT, labels_BT


def main() -> None:
    end_with_parent()
    config = configuration.load(sys.argv[1])
    noise, seed = config.model.pretraining.noise, config.model.pretraining.seed
    corpus = katas.corpus(set(held_out_prompts(config)), noise, seed)
    build(config.model, corpus, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
