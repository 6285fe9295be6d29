"""The typed configuration: every field with its unit and sentinel, and the checks between fields.

``conf/`` holds values only. A configuration has a scientific part (reward, tasks, model, grpo, sampling),
which makes an arm, and an execution part, which may change between the links of a chain. Fields inside a
scientific section that only say how to execute are marked with ``EXECUTION``. Those marked with ``LATER`` leave no
trace in an arm's identity at their default, so that older chains keep theirs.
"""

import difflib
import hashlib
import json
import re
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ablation import durable

EXECUTION = {"execution": True}
LATER = {"later": True}
LOSS_TYPES = ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "vespo")  # of TRL 1.16, with no other setting
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]*")
SCIENTIFIC_SECTIONS = ("reward", "tasks", "model", "grpo", "sampling")


class ConfigError(ValueError):
    """A configuration that cannot run: one sentence that says what was found, what was expected, what to type."""


def _at_least(section: str, values: Any, **lowest: float) -> None:
    """Raises ConfigError for the first of ``values``'s fields that is below its lowest sensible value."""
    for name, bound in lowest.items():
        found = getattr(values, name)
        if found is not None and found < bound:
            raise ConfigError(f"{section}.{name}={found} is too small; set {section}.{name}={bound} or more.")


def _one_of(key: str, found: str, allowed: tuple[str, ...]) -> None:
    if found not in allowed:
        close = difflib.get_close_matches(found, allowed, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"{key}={found} is unknown, expected one of {', '.join(allowed)}; did you mean {key}={close}?"
        )


@dataclass
class RewardConfig:
    name: str  # a function of ablation.scoring.rewards
    params: dict[str, float] = field(default_factory=dict)


@dataclass
class TasksConfig:
    name: str
    train: int  # tasks that chains train on
    validation: int  # held-out tasks that may choose
    test: int  # held-out tasks that never choose
    seed: int = 0  # of the generator; not the chain's seed
    path: str | None = None  # a file, folder, glob or hf://datasets/ORG/NAME[@REVISION][/GLOB]
    strict: bool = field(default=False, metadata=EXECUTION)  # the first task that cannot be used is an error
    # manifest.json of an audit, or bundled:<name>; null: not audited. The tasks that it leaves are what counts:
    # a chain is known by their fingerprint, wherever the file lies.
    manifest: str | None = field(default=None, metadata=EXECUTION)
    audit_repeats: int = field(default=10, metadata=EXECUTION)  # runs of each reference in an audit
    # These two shape the tasks, by whose fingerprint a chain is known.
    max_timeout_s: float | None = field(default=None, metadata=EXECUTION)  # bound on a task's own limit; null: none
    slow_path: bool = field(default=False, metadata=EXECUTION)  # a task's own script judges what cannot be run else

    def __post_init__(self) -> None:
        _at_least("tasks", self, train=1, validation=1, test=1, audit_repeats=2, max_timeout_s=0.1)


@dataclass
class Architecture:
    """A Qwen3's sizes, by transformers' names: of the tiny model that is made here, and of one from ``model.path`` what
    planning goes by where the model itself cannot be read."""

    vocab_size: int = 640
    hidden_size: int = 128
    num_hidden_layers: int = 2
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 32
    intermediate_size: int = 384
    max_position_embeddings: int = 256
    tie_word_embeddings: bool = field(default=True, metadata=LATER)


@dataclass
class PretrainingConfig:
    noise: float = 0.5  # probability that a part of a corpus body is replaced: the dial for strength
    steps: int = 300
    batch_size: int = 64
    learning_rate: float = 2e-3  # peak; linear warm-up, then cosine to 0
    warmup_steps: int = 50
    seed: int = 0
    threads: int = 2  # part of the recipe: another number of threads rounds differently


_CODE = """Complete `{entry_point}` in the Python module `{module}`, which begins like this:

```python
{prompt}
```

Answer with one fenced block of Python that holds the whole module, with all imports that it needs."""
_INSTRUCTION = """{prompt}

Write the Python module `{module}`, which must define `{entry_point}`. Answer with one fenced block of Python that \
holds the whole module, with all imports that it needs."""


@dataclass
class PromptConfig:
    """How a task is put to the model. A request may name {prompt}, {entry_point} and {module} of the task."""

    style: str | None = None  # chat | plain; null: chat where the tokenizer has a chat template
    system: str | None = None  # message before the request of a chat; null: none
    code: str = _CODE  # request of a chat for code that the task begins; a plain prompt is that code itself
    instruction: str = _INSTRUCTION  # request where the task is told in words; a plain prompt opens the fence after it
    chat_template_kwargs: dict[str, Any] | None = None  # for the template, as {enable_thinking: false}; null: none

    def __post_init__(self) -> None:
        if self.style is not None:
            _one_of("model.prompt.style", self.style, ("chat", "plain"))
        for name in ("code", "instruction"):
            _asks_for_the_task(f"model.prompt.{name}", getattr(self, name))


def _asks_for_the_task(key: str, request: str) -> None:
    """Raises ConfigError for a text that does not become a request by ``str.format``."""
    try:
        made = request.format(prompt="<the task>", entry_point="", module="")
    except (LookupError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{key} is no request ({type(error).__name__}: {error}); name nothing in braces but {{prompt}}, "
            "{entry_point} and {module}, and type other braces twice."
        ) from error
    if "<the task>" not in made:
        raise ConfigError(f"{key} leaves out what is asked; expected a text with {{prompt}}: add it to {key}=….")


@dataclass
class LoraConfig:
    """Adapters on every linear layer but the output, instead of the whole model."""

    rank: int | None = None  # null: the whole model is trained
    alpha: int = 32  # adapters count alpha / rank times

    def __post_init__(self) -> None:
        _at_least("model.lora", self, rank=1, alpha=1)


@dataclass
class ModelConfig:
    name: str
    path: str | None = None  # folder or Hub id; null: the tiny model, pre-trained here
    prompt: PromptConfig = field(default_factory=PromptConfig, metadata=LATER)
    lora: LoraConfig = field(default_factory=LoraConfig, metadata=LATER)
    architecture: Architecture = field(default_factory=Architecture)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)


@dataclass
class GrpoConfig:
    """TRL's own names where TRL has the field; see trl.GRPOConfig."""

    train_batch_size: int  # completions a step, over all ranks
    num_generations: int  # completions a prompt: the group
    learning_rate: float
    warmup_steps: int
    loss_type: str
    scale_rewards: str
    beta: float
    epsilon: float
    max_grad_norm: float
    weight_decay: float
    num_iterations: int = 1
    steps_per_generation: int | None = None  # null: equal to gradient_accumulation_steps
    per_device_train_batch_size: int | None = field(default=None, metadata=EXECUTION)  # null: a rank's whole share
    gradient_accumulation_steps: int | None = field(default=None, metadata=EXECUTION)  # null: what makes the batch

    def __post_init__(self) -> None:
        _at_least("grpo", self, train_batch_size=1, warmup_steps=0, learning_rate=0, beta=0, max_grad_norm=0)
        _at_least("grpo", self, per_device_train_batch_size=1, gradient_accumulation_steps=1)
        _one_of("grpo.loss_type", self.loss_type, LOSS_TYPES)
        _one_of("grpo.scale_rewards", self.scale_rewards, ("group", "batch", "none"))
        if self.num_generations < 2:
            raise ConfigError(
                f"grpo.num_generations={self.num_generations} leaves no group to compare with; "
                "set it to 2 or more, for example grpo.num_generations=8."
            )
        if self.train_batch_size % self.num_generations:
            nearest = max(1, self.train_batch_size // self.num_generations) * self.num_generations
            raise ConfigError(
                f"grpo.train_batch_size={self.train_batch_size} is not divisible by the group size "
                f"grpo.num_generations={self.num_generations}; set grpo.train_batch_size={nearest}."
            )
        if self.num_iterations != 1:
            raise ConfigError(
                f"grpo.num_iterations={self.num_iterations}, but a step must train its batch exactly once; "
                "set grpo.num_iterations=1."
            )
        self.layout(world_size=1)

    @property
    def prompts_per_step(self) -> int:
        return self.train_batch_size // self.num_generations

    def layout(self, world_size: int) -> "BatchLayout":
        """Returns how a step's batch lies on ``world_size`` ranks; raises ConfigError where it cannot."""
        share, rest = divmod(self.train_batch_size, world_size)
        if rest or share % self.num_generations:
            raise ConfigError(
                f"grpo.train_batch_size={self.train_batch_size} on {world_size} ranks would cut groups of "
                f"{self.num_generations} apart; set it to a multiple of {world_size * self.num_generations}."
            )
        accumulation = self.gradient_accumulation_steps or share // (self.per_device_train_batch_size or share)
        per_device = self.per_device_train_batch_size or share // max(accumulation, 1)
        if accumulation * per_device != share:
            raise ConfigError(
                f"grpo.per_device_train_batch_size={per_device} x grpo.gradient_accumulation_steps="
                f"{accumulation} is not a rank's share of {share} completions; set "
                f"grpo.per_device_train_batch_size to a divisor of {share} and leave the other null."
            )
        if self.steps_per_generation not in (None, accumulation):
            raise ConfigError(
                f"grpo.steps_per_generation={self.steps_per_generation}, but a step must generate and train "
                f"exactly one batch; set it to grpo.gradient_accumulation_steps={accumulation} or to null."
            )
        return BatchLayout(per_device, accumulation)


@dataclass(frozen=True)
class BatchLayout:
    per_device_train_batch_size: int
    gradient_accumulation_steps: int


@dataclass
class SamplingConfig:
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0: off
    max_completion_length: int = 40  # tokens
    # Tokens of a prompt, template included; null: what the model's positions leave beside a completion.
    max_prompt_length: int | None = field(default=None, metadata=LATER)
    long_prompts: str = field(default="drop", metadata=LATER)  # longer ones: drop their tasks | refuse to run
    allow_truncated: bool = False  # importance weights assume sampling from the whole distribution

    def __post_init__(self) -> None:
        _at_least("sampling", self, max_completion_length=1, max_prompt_length=1, top_k=0)
        _one_of("sampling.long_prompts", self.long_prompts, ("drop", "refuse"))
        whole = self.temperature == 1.0 and self.top_p == 1.0 and self.top_k == 0
        if not whole and not self.allow_truncated:
            raise ConfigError(
                f"sampling.temperature={self.temperature}, top_p={self.top_p}, top_k={self.top_k} truncate or "
                "reshape the distribution that importance weights assume whole; use temperature=1.0, top_p=1.0, "
                "top_k=0, or insist with sampling.allow_truncated=true."
            )


@dataclass
class SelectionConfig:
    """Open-thoughts/OpenThoughts-Agent's rule: argmax of the EMA of the arm's own reward over the save grid."""

    span: int = 5  # alpha = 2 / (span + 1)
    skip_first: int = 1  # saved steps left out because the EMA has not warmed up

    def __post_init__(self) -> None:
        _at_least("selection", self, span=1, skip_first=0)


@dataclass
class ChainConfig:
    steps: int = 80
    save_every: int = 5  # steps between candidates
    resume_every: int = 10  # steps between full states, of which the last two are kept

    def __post_init__(self) -> None:
        _at_least("chain", self, steps=1, save_every=1, resume_every=1)

    @property
    def save_grid(self) -> range:
        """The steps at which a candidate is saved."""
        return range(self.save_every, self.steps + 1, self.save_every)


@dataclass
class EvaluationConfig:
    samples: int = 5  # completions a task at the training temperature; one more is greedy
    batch_size: int = 256  # completions generated at once
    step: int | None = None  # evaluated beside the pick and the last one; null: half of the save grid, 0: none
    save_tasks: int = 25  # validation tasks that training asks whenever a candidate is saved; 0: none
    save_samples: int = 2  # completions of each of them

    def __post_init__(self) -> None:
        _at_least("evaluation", self, batch_size=1, step=0, save_tasks=0, save_samples=1)
        if self.samples < 2:
            raise ConfigError(
                f"evaluation.samples={self.samples} cannot give pass@1 with k < n; set evaluation.samples=5, say."
            )


ENGINES = ("transformers", "vllm_colocate", "vllm_server")


@dataclass
class GenerationConfig:
    """Who samples the completions of a step; all but ``engine`` is for vLLM."""

    engine: str = "transformers"  # transformers | vllm_colocate (in every rank) | vllm_server (on GPUs of its own)
    tensor_parallel_size: int = 1  # GPUs that share one copy of vLLM's weights; with colocate ranks
    gpu_memory_utilization: float = 0.3  # vLLM's share of each of its GPUs: weights, activations and KV cache
    # vLLM leaves its memory to the update. Off: rollouts may then come from stale weights (huggingface/trl issue 5312).
    enable_sleep_mode: bool = False
    server_timeout_s: float = 600.0  # for the server to load the weights
    # Mean over a step's tokens of |log-probability by vLLM - by the trainer|, which grows when vLLM's weights are not
    # the trainer's: a warning above the first, the end of the link above the second.
    warn_logp_difference: float = 0.1
    stop_logp_difference: float = 0.5

    def __post_init__(self) -> None:
        _one_of("generation.engine", self.engine, ENGINES)
        _at_least("generation", self, tensor_parallel_size=1, server_timeout_s=1, warn_logp_difference=0)
        if not 0 < self.gpu_memory_utilization < 1:
            raise ConfigError(
                f"generation.gpu_memory_utilization={self.gpu_memory_utilization} is no share of a GPU's memory; set "
                "it between 0 and 1, as generation.gpu_memory_utilization=0.3."
            )
        if self.stop_logp_difference < self.warn_logp_difference:
            raise ConfigError(
                f"generation.stop_logp_difference={self.stop_logp_difference} is below "
                f"generation.warn_logp_difference={self.warn_logp_difference}; set it to that or more."
            )

    @property
    def vllm(self) -> bool:
        return self.engine != "transformers"

    @property
    def own_gpus(self) -> int:
        """GPUs that sample and do not train."""
        return self.tensor_parallel_size if self.engine == "vllm_server" else 0


@dataclass
class ClusterConfig:
    """Where chains run. All but ``scoring_workers``, ``time_min``, ``ranks`` and ``fsdp`` is for ``kind: slurm``."""

    kind: str = "local"  # local | slurm
    # Processes that execute candidates, for each chain; null: the cores of a chain that training leaves.
    scoring_workers: int | None = None
    # Wall minutes of one link; null: no limit. It ends, with its state saved, before a step that would not fit. Where
    # Slurm says when the job ends, that counts.
    time_min: float | None = None
    links: int = 1  # jobs of a chain, head and successors; with requeue how often its one job may run
    requeue: bool = False  # one job that requeues itself, instead of a head job and `afterany` successors
    partition: str | None = None  # null here and below: the cluster's default
    account: str | None = None
    qos: str | None = None
    # Processes that train one chain together, each on its GPU where there are any; on Slurm tasks, shared out evenly
    # among the nodes.
    ranks: int = 1
    fsdp: bool = False  # weights, gradients and optimizer in pieces on the ranks, which needs a GPU for each
    nodes: int = 1
    gpus_per_node: int | None = None
    gpu_memory_gb: float | None = None  # of each, 10^9 bytes; null: unknown, and nothing is refused for its sake
    gres: str | None = None  # as gpu:a100:4, where a cluster wants that instead of gpus_per_node
    cpus_per_task: int | None = None  # of each rank
    mem_gb: float | None = None  # of each node
    container: str | None = None  # typed before python in the job, as `apptainer exec --nv image.sif`
    setup: list[str] = field(default_factory=list)  # lines of shell before it, as `module load cuda`
    env: dict[str, str] = field(default_factory=dict)  # environment variables of the job
    sbatch: dict[str, Any] = field(default_factory=dict)  # further options of sbatch by their long name
    # What planning assumes until an earlier link has shown it, in minutes; null: unknown.
    startup_min: float | None = None  # from the job's begin to its first step
    step_min: float | None = None
    save_min: float | None = None  # one full state

    def __post_init__(self) -> None:
        _one_of("cluster.kind", self.kind, ("local", "slurm"))
        _at_least("cluster", self, scoring_workers=1, links=1, nodes=1, ranks=1, gpus_per_node=0, cpus_per_task=1)
        _at_least("cluster", self, time_min=0.1, mem_gb=0.1, gpu_memory_gb=1, startup_min=0, step_min=0, save_min=0)
        if self.fsdp and self.ranks == 1:
            raise ConfigError(
                "cluster.fsdp=true has nothing to share out with cluster.ranks=1; set cluster.ranks=4, say."
            )
        if self.ranks % self.nodes:
            raise ConfigError(
                f"cluster.ranks={self.ranks} cannot be shared out evenly among cluster.nodes={self.nodes}; set "
                f"cluster.ranks={self.nodes}, or another multiple of it."
            )
        if 0 < self.gpus < self.ranks:
            raise ConfigError(
                f"cluster.ranks={self.ranks} are more than the {self.gpus} GPUs of a job, and each needs one; set "
                f"cluster.ranks={self.gpus}, or ask for more of them."
            )
        if self.kind == "slurm" and self.time_min is None:
            raise ConfigError("cluster.time_min is not set, but a job needs its limit; set cluster.time_min=720, say.")

    @property
    def gpus(self) -> int:
        """How many GPUs one job of a chain takes."""
        of_gres = re.search(r"gpu(?::[^:,\d][^:,]*)?(?::(\d+))?(?:,|$)", self.gres or "")
        return self.nodes * (self.gpus_per_node or (int(of_gres[1] or 1) if of_gres else 0))


@dataclass
class ScoringConfig:
    sandbox: str | None = None  # a tier of containment, or "none" to accept an unsandboxed run; null: the strongest


@dataclass
class TrackingConfig:
    mode: str = "offline"  # online | offline | off
    project: str = "ablation"
    entity: str | None = None  # null: the user's default

    def __post_init__(self) -> None:
        if self.mode not in ("online", "offline", "off"):
            raise ConfigError(f"tracking.mode={self.mode!r} is unknown; use tracking=online, offline or off.")


@dataclass
class Config:
    study: str
    seed: int
    reward: RewardConfig
    tasks: TasksConfig
    model: ModelConfig
    grpo: GrpoConfig
    sampling: SamplingConfig
    selection: SelectionConfig
    chain: ChainConfig
    evaluation: EvaluationConfig
    generation: GenerationConfig
    cluster: ClusterConfig
    scoring: ScoringConfig
    tracking: TrackingConfig
    runs_dir: str = "runs"
    plan: bool = False  # say what the study will take instead of training or submitting it
    arm: str | None = None  # short name; null: the reward's name and the other scientific keys that are swept

    def __post_init__(self) -> None:
        for name in ("study", "arm"):
            value = getattr(self, name)
            if value is not None and not _NAME.fullmatch(value):
                raise ConfigError(
                    f"{name}={value!r} cannot name a folder; use letters, digits and any of . _ + = - in {name}=…"
                )
        self.grpo.layout(self.cluster.ranks)
        self._check_engine()
        if self.cluster.fsdp and self.model.lora.rank is not None:
            raise ConfigError(
                f"cluster.fsdp=true would share out a model of which model.lora.rank={self.model.lora.rank} trains "
                "adapters alone, and those cannot be merged from pieces; set cluster.fsdp=false: every rank then holds "
                "the model in bf16, 2 bytes a parameter."
            )
        if len(self.chain.save_grid) <= self.selection.skip_first:
            needed = self.chain.save_every * (self.selection.skip_first + 1)
            raise ConfigError(
                f"chain.steps={self.chain.steps} with chain.save_every={self.chain.save_every} saves "
                f"{len(self.chain.save_grid)} candidates, of which the selection rule leaves out the first "
                f"{self.selection.skip_first}; set chain.steps={needed} or more, or a smaller chain.save_every."
            )
        if self.tasks.train < self.grpo.prompts_per_step:
            raise ConfigError(
                f"tasks.train={self.tasks.train} tasks do not fill one step of {self.grpo.prompts_per_step} "
                f"prompts; set tasks.train={self.grpo.prompts_per_step} or more."
            )

    def _check_engine(self) -> None:
        """Raises ConfigError where the sampler does not fit on the ranks and GPUs of the chain."""
        generation, cluster = self.generation, self.cluster
        if generation.engine == "vllm_colocate" and cluster.ranks % generation.tensor_parallel_size:
            raise ConfigError(
                f"generation.tensor_parallel_size={generation.tensor_parallel_size} does not divide "
                f"cluster.ranks={cluster.ranks}, and colocated vLLM lies on the ranks; set "
                "generation.tensor_parallel_size=1, or a divisor of the ranks."
            )
        heads = self.model.architecture.num_attention_heads
        if generation.vllm and heads % generation.tensor_parallel_size:
            raise ConfigError(
                f"generation.tensor_parallel_size={generation.tensor_parallel_size} does not divide the {heads} "
                f"attention heads of {self.model.name}; set generation.tensor_parallel_size=1, or a divisor of {heads}."
            )
        needed = cluster.ranks + generation.own_gpus
        if 0 < cluster.gpus < needed:
            raise ConfigError(
                f"{cluster.ranks} ranks and {generation.own_gpus} GPUs of the vLLM server are more than the "
                f"{cluster.gpus} GPUs of a job; set cluster.gpus_per_node={-(-needed // cluster.nodes)}, or fewer "
                "ranks."
            )

    @property
    def chain_name(self) -> str:
        return f"{self.arm}-s{self.seed}"

    @property
    def scientific_hash(self) -> str:
        """Twelve hex digits that equal configurations of an arm share, whatever seed and machine."""
        return hashlib.sha256(json.dumps(self.scientific(), sort_keys=True).encode()).hexdigest()[:12]

    def scientific(self) -> dict[str, Any]:
        """The part that makes an arm, as plain data."""
        return {section: _part(getattr(self, section), execution=False) for section in SCIENTIFIC_SECTIONS}

    def execution(self) -> dict[str, Any]:
        """The part that may differ between the links of a chain, as plain data."""
        marked = {section: _part(getattr(self, section), execution=True) for section in SCIENTIFIC_SECTIONS}
        rest = {key: value for key, value in asdict(self).items() if key not in SCIENTIFIC_SECTIONS}
        return rest | {section: values for section, values in marked.items() if any(values.values())}


def _part(section: Any, *, execution: bool) -> dict[str, Any]:
    """Returns the fields of a scientific section that are, or are not, marked as execution."""
    kept = {}
    for f in fields(section):
        value = getattr(section, f.name)
        if f.metadata.get("later") and value == _default(f):
            continue
        if is_dataclass(value):
            kept[f.name] = _part(value, execution=execution)
        elif bool(f.metadata.get("execution")) == execution:
            kept[f.name] = value
    return kept


def _default(field_: Field) -> Any:
    return field_.default if field_.default_factory is MISSING else field_.default_factory()


def parse(composed: DictConfig) -> Config:
    """Returns the typed configuration of what Hydra composed; raises ConfigError for an unknown or ill-typed key."""
    values = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    values.pop("hydra", None)
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Config), values)
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "a key"
        problem = str(error).splitlines()[0]
        raise ConfigError(f"{key} cannot be used: {problem}; see `python -m ablation.run --cfg job`.") from error
    assert isinstance(config, Config)
    return config


def load(path: str | Path) -> Config:
    """Returns the configuration stored in a chain's ``config.yaml``; raises ConfigError naming an unreadable file."""
    try:
        stored = OmegaConf.load(path)
        if not isinstance(stored, DictConfig):
            raise ConfigError("a mapping was expected")
        return parse(stored)
    except (OSError, ValueError, YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{path} cannot be used: {reason}; put the file back, or move its folder away.") from error


def save(config: Config, path: Path) -> None:
    """Writes the resolved configuration; what was there stays if there is no room."""
    durable.write_text(path, OmegaConf.to_yaml(OmegaConf.create(asdict(config))))
