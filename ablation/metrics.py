"""Every metric's name, once: the keys of ``history.jsonl``, of W&B and of analysis frames.

Keys under ``time/``, ``system/`` or ``chain/`` may differ between two equal runs; every other key is
deterministic on a CPU.
"""

STEP = "step"
LINK = "chain/link"

REWARD_TRAIN = "reward/train"  # mean of the reward that the arm optimises; scales differ between arms
REWARD_EMA = "reward/ema"  # its EMA by the selection rule

# Shared scores: the same scale in every arm, over the whole global batch of training samples.
PASS_RATIO = "score/pass_ratio"  # mean fraction of expected tests passed
SOLVED = "score/solved"  # share of samples that pass all expected tests
ANY_SOLVED = "score/any_solved"  # share of groups with at least one solved sample
NO_CODE = "score/no_code"
SYNTAX_ERROR = "score/syntax_error"
TIMEOUT = "score/timeout"
CRASHED = "score/crashed"
VIOLATION = "score/violation"
UNSUPPORTED = "score/unsupported"
INFRASTRUCTURE = "score/infrastructure"

# Share of groups whose rewards are all equal (no gradient) under either reward, on the same rollouts.
ZERO_STD_BINARY = "signal/zero_std_binary"
ZERO_STD_SHAPED = "signal/zero_std_shaped"

TIME_GENERATE = "time/generate"  # seconds
# Seconds in which the trainer's weights went to vLLM, in no other part of the step; 0 where they went for `eval/*`.
TIME_SYNC = "time/sync"
TIME_SCORE = "time/score"  # seconds
TIME_UPDATE = "time/update"  # seconds: everything of the step but generating, sync and scoring
TIME_STEP = "time/step"  # seconds
TIME_BETWEEN = "time/between"  # seconds from the previous step's end to this one's begin: saving, logging
TIME_SAVE = "time/save"  # seconds of saving after the step before: candidate, rollouts, state; null where none was
TIME_VALIDATE = "time/validate"  # seconds of `eval/*`, after the step whose candidate they are of; null where none was
TIME_STARTUP = "time/startup"  # seconds from the supervisor's start to the link's first step; null after it
PEAK_MEMORY_MB = "system/peak_memory_mb"  # peak resident memory of the training process

TOKENS_GENERATED = "system/tokens_generated_per_s"  # tokens of completions, by the time of generating
TOKENS_TRAINED = "system/tokens_trained_per_s"  # tokens of prompts and completions, by the time of the update
MFU = "system/mfu"  # share of the GPUs' peak that the model's arithmetic takes in a step; null without a known one
GPU_MEMORY_GB = "system/gpu_memory_gb"  # peak of what torch allocated on the main rank's GPU; null without one
GPU_HOURS = "system/gpu_hours"  # of the chain up to this row, start-up included; not what links ran after their last

TRL_PREFIX = "train/"  # what TRL logs, under its own names
NONDETERMINISTIC_PREFIXES = ("time/", "system/", "chain/")

# Held-out evaluation, n samples a task: in a history of a few validation tasks, at the steps that candidates are saved.
EVAL_PASS_RATIO = "eval/pass_ratio"
EVAL_SOLVED = "eval/solved"


def eval_pass_at(k: int) -> str:
    """The key of the unbiased pass@k estimate."""
    return f"eval/pass_at_{k}"


def is_deterministic(metric: str) -> bool:
    """Whether two equal runs on a CPU must agree on this metric to the last bit."""
    return not metric.startswith(NONDETERMINISTIC_PREFIXES)
