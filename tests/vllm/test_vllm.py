"""Chains that vLLM samples for, on a CPU: weights reach it, seeds are those of the step, and what breaks is noticed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import pytest

from ablation import metrics
from tests.conftest import ROOT, SMALL

if find_spec("vllm") is None:
    REQUIRED = "vllm" in os.environ.get("ABLATION_REQUIRE", "").split(",")
    assert not REQUIRED, "vLLM is required here and is not installed"
    pytest.skip("vLLM is not installed: type `make test-vllm`, which sets up its CPU build", allow_module_level=True)

pytestmark = [pytest.mark.long, pytest.mark.training]
STEPS = 6
EXACT = 1e-4  # of log-probabilities in single precision, by two implementations
FEW = (
    *("reward=shaped", "tracking=off", "tasks.train=40", "tasks.validation=5", "tasks.test=5"),
    *(f"chain.steps={STEPS}", "chain.save_every=2", "chain.resume_every=2", "grpo.train_batch_size=32"),
    *("grpo.learning_rate=1e-3", "grpo.warmup_steps=0", *SMALL),
)
ON_A_CPU = {
    "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "vllm" / "switches"), str(ROOT)]),
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "TORCHDYNAMO_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vllm")


def start(home: Path, study: str, *more: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "ablation.run", f"study={study}", *FEW, *more],
        cwd=home,
        env={**os.environ, **ON_A_CPU, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(home: Path, study: str, *more: str, **environment: str) -> str:
    process = start(home, study, *more, **environment)
    printed, _ = process.communicate(timeout=400)
    assert process.returncode == 0, printed
    return printed


def chain_of(home: Path, study: str) -> Path:
    return home / "runs" / study / "shaped-s0"


def rows(chain: Path) -> list[dict]:
    path = chain / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def weights(chain: Path) -> bytes:
    return (chain / "checkpoints" / f"checkpoint-{STEPS}" / "model.safetensors").read_bytes()


def completions(chain: Path) -> list[str]:
    rollouts = pd.concat([pd.read_parquet(path) for path in sorted((chain / "rollouts").glob("*.parquet"))])
    return rollouts.sort_values(["step", "group", "sample"])["completion"].tolist()


def wait_for_step(chain: Path, step: int) -> None:
    deadline = time.monotonic() + 300
    while len(rows(chain)) < step:
        assert time.monotonic() < deadline, "the step did not come"
        time.sleep(0.02)


def check_sampled_from_what_is_trained(chain: Path) -> None:
    logged = rows(chain)
    assert [row["step"] for row in logged] == [*range(1, STEPS + 1)]
    for row in logged:
        assert 0 <= row[f"{metrics.TRL_PREFIX}sampling/sampling_logp_difference/max"] < EXACT
        asked_before = row["step"] > 1 and (row["step"] - 1) % 2 == 0  # the validation of that save sent the weights
        assert row[metrics.TIME_SYNC] > 0 or asked_before
    assert logged[-1][metrics.REWARD_TRAIN] != logged[0][metrics.REWARD_TRAIN]
    assert max(row["train/grad_norm"] for row in logged) > 0, "nothing was trained"


@pytest.fixture(scope="module")
def colocated(home: Path) -> Path:
    train(home, "straight", "generation=vllm_colocate")
    return chain_of(home, "straight")


def test_colocated_vllm_samples_from_the_weights_of_the_step(colocated: Path) -> None:
    check_sampled_from_what_is_trained(colocated)


def test_a_colocated_chain_that_is_stopped_goes_on_as_if_it_had_not_been(home: Path, colocated: Path) -> None:
    process = start(home, "stopped", "generation=vllm_colocate")
    wait_for_step(chain_of(home, "stopped"), 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert len(rows(chain_of(home, "stopped"))) < STEPS
    train(home, "stopped", "generation=vllm_colocate")
    assert weights(chain_of(home, "stopped")) == weights(colocated)


def test_colocated_vllm_samples_from_base_and_adapters_and_resumes_exactly(home: Path) -> None:
    lora = ("generation=vllm_colocate", "model.lora.rank=4")
    train(home, "lora", *lora)
    check_sampled_from_what_is_trained(chain_of(home, "lora"))
    process = start(home, "lora_stopped", *lora)
    wait_for_step(chain_of(home, "lora_stopped"), 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert len(rows(chain_of(home, "lora_stopped"))) < STEPS
    train(home, "lora_stopped", *lora)
    assert weights(chain_of(home, "lora_stopped")) == weights(chain_of(home, "lora"))


def test_colocated_vllm_samples_from_weights_that_lie_in_pieces(home: Path) -> None:
    sharded = ("generation=vllm_colocate", "cluster.ranks=2", "cluster.fsdp=true")
    train(home, "pieces", *sharded, ABLATION_TEST_SHARDED="1")
    check_sampled_from_what_is_trained(chain_of(home, "pieces"))
    assert "fsdp" in (chain_of(home, "pieces") / "logs" / "link-0.log").read_text()


def test_a_study_is_evaluated_with_vllm_as_with_transformers(home: Path, colocated: Path) -> None:
    def scores(engine: str) -> pd.DataFrame:
        command = [sys.executable, "-m", "ablation.evaluate", str(colocated.parent), "--engine", engine]
        done = subprocess.run(command, cwd=home, env={**os.environ, **ON_A_CPU}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        files = sorted((colocated.parent / "evaluation").glob("*/*.parquet"))
        return pd.concat([pd.read_parquet(path) for path in files])

    ours, theirs = scores("transformers"), scores("vllm")
    keys = ["split", "subject", "mode", "task_id", "sample", "roles"]
    assert ours[keys].to_numpy().tolist() == theirs[keys].to_numpy().tolist()
    greedy = ours["mode"] == "greedy"
    said = ours.loc[greedy, "completion"].to_numpy() == theirs.loc[greedy, "completion"].to_numpy()
    assert said.mean() > 0.95, "greedy completions differ"  # two equal logits may be told apart otherwise
    assert (
        ours.loc[~greedy, "completion"].tolist() != theirs.loc[~greedy, "completion"].tolist()
    )  # other random numbers
    again = scores("vllm")
    assert again["completion"].tolist() == theirs["completion"].tolist()


def test_stale_weights_end_the_link_in_a_sentence(home: Path) -> None:
    process = start(
        home,
        "stale",
        "generation=vllm_colocate",
        f"generation.warn_logp_difference={EXACT / 10}",
        f"generation.stop_logp_difference={EXACT}",
        ABLATION_TEST_STALE="embed_tokens",
    )
    printed, _ = process.communicate(timeout=400)
    assert process.returncode == 1, printed
    assert "vLLM does not sample from the weights that are trained" in printed
    assert "generation=transformers" in printed
    assert len(rows(chain_of(home, "stale"))) < STEPS


@pytest.fixture(scope="module")
def served(home: Path) -> Path:
    train(home, "served", "generation=vllm_server")
    return chain_of(home, "served")


def test_the_server_samples_from_the_weights_of_the_step_and_ends_with_the_link(served: Path) -> None:
    check_sampled_from_what_is_trained(served)
    assert servers(served) == []


def test_a_server_that_is_killed_is_started_again_and_changes_nothing(home: Path, served: Path) -> None:
    process = start(home, "killed", "generation=vllm_server")
    chain = chain_of(home, "killed")
    wait_for_step(chain, 2)
    for server in servers(chain):
        server.kill()
    printed, _ = process.communicate(timeout=400)
    assert process.returncode == 0, printed
    assert "started again" in (chain / "logs" / "link-0.log").read_text()
    check_sampled_from_what_is_trained(chain)
    # Not the weights: the server makes other batches each time, so log-probabilities differ in their last digits.
    assert completions(chain) == completions(served)
    assert servers(chain) == []


def test_a_server_ends_with_a_link_that_is_killed(home: Path) -> None:
    process = start(home, "orphan", "generation=vllm_server")
    chain = chain_of(home, "orphan")
    wait_for_step(chain, 1)
    assert servers(chain)
    for child in psutil.Process(process.pid).children(recursive=True):
        if "ablation.training.link" in " ".join(child.cmdline()):
            child.kill()
    process.communicate(timeout=120)
    deadline = time.monotonic() + 20
    while servers(chain) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert servers(chain) == []
    shutil.rmtree(chain)


def servers(chain: Path) -> list[psutil.Process]:
    """The processes that write the chain's server logs, vLLM's workers among them."""
    logs = {str(path) for path in (chain / "logs").glob("vllm-*.log")}
    found = []
    for process in psutil.process_iter():
        try:
            if logs & {str(Path(f"/proc/{process.pid}/fd/1").readlink())}:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found
