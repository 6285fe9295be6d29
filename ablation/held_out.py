"""Held-out scores of one model: sampled, executed, written, and cached under the hash of what they depend on."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

import ablation
from ablation.config import Config
from ablation.machine import scoring_workers
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.sandbox import tier_name
from ablation.scoring.verdict import Verdict
from ablation.tasks.load import load_tasks
from ablation.tasks.prompt_lengths import fitting, limit_of
from ablation.tasks.prompts import Question, questions, spoken_text

if TYPE_CHECKING:
    from ablation.completing import Completer
    from ablation.completing_vllm import VllmCompleter

SPLITS = ("validation", "test")
_RECIPE = 1  # part of the cache key: raise it when scores would come out differently
_KEY = b"ablation_key"


@dataclass(frozen=True)
class Subject:
    """A model to evaluate. ``arm``, ``seed`` and ``step`` are None for a base model."""

    name: str
    kind: str  # base | checkpoint
    model: str  # folder or Hub id
    config: Config
    arm: str | None = None
    seed: int | None = None
    step: int | None = None
    roles: tuple[str, ...] = ("base",)
    prompts: str = ""  # fingerprint of how its chain was asked; empty where that was not recorded
    engine: str = "transformers"  # transformers | vllm

    def key(self) -> str:
        """The hash of everything that the scores depend on."""
        parts = [
            _RECIPE,
            _weights_fingerprint(self.model),
            load_tasks(self.config.tasks).fingerprint,
            [self.prompts, asdict(self.config.model.prompt)],
            asdict(self.config.sampling),
            {name: getattr(self.config.evaluation, name) for name in ("samples", "batch_size")},
            tier_name(self.config),
            [ablation.__version__, version("torch"), version("transformers")],
            *([self.engine] if self.engine != "transformers" else []),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def evaluate(subject: Subject, folder: Path) -> None:
    """Writes ``folder/<split>/<subject>.parquet`` for every split; raises what loading the model raises."""
    config, splits = subject.config, load_tasks(subject.config.tasks)
    key = subject.key()
    workers = config.cluster.scoring_workers or scoring_workers()
    with closing(_completer(subject)) as completer, ScoringPool(workers, tier_name(config)) as pool:
        for split in SPLITS:
            # The rule of training: the same tasks are dropped.
            limit = limit_of(config.sampling, completer.positions)
            every = questions(getattr(splits, split), config.model.prompt, completer.tokenizer)
            asked = fitting(every, limit).asked
            prompts = [question.ids for question in asked]
            sampled = completer.sample(prompts, config.evaluation.samples, f"{split}-{config.tasks.seed}")
            greedy = [[completion] for completion in completer.greedy(prompts)]
            rows = [
                row
                for mode, completions in (("sampled", sampled), ("greedy", greedy))
                for row in _scored(subject, split, mode, asked, completions, pool)
            ]
            _write(pa.Table.from_pylist(rows), folder / split / f"{subject.name}.parquet", key)


def _completer(subject: Subject) -> "Completer | VllmCompleter":
    sampling = subject.config.sampling
    if subject.engine == "vllm":
        from ablation.completing_vllm import VllmCompleter

        return VllmCompleter(subject.model, sampling)
    from ablation.completing import Completer  # torch: only where there is something to do

    return Completer(subject.model, sampling, subject.config.evaluation.batch_size)


def _scored(
    subject: Subject,
    split: str,
    mode: str,
    asked: list[Question],
    completions: list[list[str]],
    pool: ScoringPool,
) -> Iterator[dict[str, Any]]:
    pairs = [
        (question.task, n, spoken_text(question.text, text))
        for question, of_question in zip(asked, completions, strict=True)
        for n, text in enumerate(of_question)
    ]
    verdicts = pool.score([Submission(task, text) for task, _, text in pairs])
    for (_, sample, completion), verdict in zip(pairs, verdicts, strict=True):
        yield _row(subject, split, mode, sample, completion, verdict)


def _row(subject: Subject, split: str, mode: str, sample: int, completion: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "subject": subject.name,
        "kind": subject.kind,
        "arm": subject.arm,
        "seed": subject.seed,
        "step": subject.step,
        "roles": ",".join(subject.roles),
        "split": split,
        "mode": mode,
        "task_id": verdict.task_id,
        "sample": sample,
        "status": verdict.status,
        "passed": verdict.passed,
        "total": verdict.total,
        "pass_ratio": verdict.pass_ratio,
        "solved": verdict.solved,
        "completion": completion,
    }


def _write(table: pa.Table, path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table.replace_schema_metadata({_KEY: key.encode()}), partial)
    partial.rename(path)


def is_cached(subject: Subject, folder: Path) -> bool:
    """Whether every split has this subject's scores; brings their roles up to date."""
    key = subject.key()
    for split in SPLITS:
        path = folder / split / f"{subject.name}.parquet"
        if _stored_key(path) != key:
            return False
        table = pq.read_table(path)
        roles = ",".join(subject.roles)
        if table["roles"][0].as_py() != roles:
            column = table.schema.get_field_index("roles")
            _write(table.set_column(column, "roles", pa.array([roles] * len(table))), path, key)
    return True


def _stored_key(path: Path) -> str | None:
    try:
        return (pq.read_schema(path).metadata or {}).get(_KEY, b"").decode()
    except (OSError, pa.ArrowInvalid):
        return None  # absent, or not a parquet file: it is written anew


def _weights_fingerprint(model: str) -> str:
    weights = sorted(Path(model).glob("*.safetensors"))
    if not weights:
        return model  # a Hub id
    digest = hashlib.sha256()
    for path in weights:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
