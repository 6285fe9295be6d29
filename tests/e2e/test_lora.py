"""Chains that train adapters: what they save is a model like any other, and a stop leaves no trace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.conftest import command
from tests.e2e.commands import logged_steps, start, wait_until, with_base
from tests.e2e.conftest import TINY, Trained
from tests.e2e.test_interruptions import assert_equal_chains
from tests.e2e.test_spine import rows

pytestmark = [pytest.mark.training, pytest.mark.xdist_group("training")]

LORA = ("ablation.run", "reward=shaped", *TINY, "model.lora.rank=4", "grpo.learning_rate=2e-3", "grpo.warmup_steps=0")


@pytest.fixture(scope="module")
def undisturbed(study: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a chain of four steps."""
    cwd = with_base(study, tmp_path_factory.mktemp("lora"))
    ended = command(*LORA, "study=lora", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return cwd / "runs" / "lora" / "shaped-s0"


def base_of(chain: Path) -> Path:
    (folder,) = (path for path in (chain.parents[1] / ".cache").glob("tiny-*") if path.is_dir())
    return folder


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(3, 40)[None]).logits


def test_a_candidate_is_the_model_that_base_and_adapters_compute(undisturbed: Path):
    base = AutoModelForCausalLM.from_pretrained(base_of(undisturbed))
    of_base = logits(base)
    trained = PeftModel.from_pretrained(base, undisturbed / "resume" / "checkpoint-4")
    candidate = AutoModelForCausalLM.from_pretrained(undisturbed / "checkpoints" / "checkpoint-4")
    torch.testing.assert_close(logits(candidate), logits(trained), atol=1e-5, rtol=0)
    assert (logits(candidate) - of_base).abs().max() > 0.01, "nothing was trained"
    assert max(row["train/grad_norm"] for row in rows(undisturbed)) > 0


@pytest.mark.long
def test_a_candidate_loads_where_peft_is_not_installed(undisturbed: Path):
    code = (
        "import sys; sys.modules['peft'] = None\n"
        "from transformers import AutoModelForCausalLM\n"
        "model, told = AutoModelForCausalLM.from_pretrained(sys.argv[1], output_loading_info=True)\n"
        "print([list(told[kind]) for kind in ('missing_keys', 'unexpected_keys')])"
    )
    candidate = undisturbed / "checkpoints" / "checkpoint-4"
    done = subprocess.run([sys.executable, "-c", code, str(candidate)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[[], []]"


@pytest.mark.long
def test_a_stopped_chain_goes_on_as_if_it_had_not_been(undisturbed: Path, study: Trained, tmp_path: Path):
    cwd = with_base(study, tmp_path)
    chain = cwd / "runs" / "stopped" / "shaped-s0"
    process = start(cwd, *LORA, "study=stopped")
    wait_until(lambda: logged_steps(chain) >= 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    ended = command(*LORA, "study=stopped", cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_equal_chains(chain, undisturbed)


def test_adapters_are_another_arm(undisturbed: Path):
    ended = command(*LORA, "study=lora", "model.lora.rank=8", cwd=undisturbed.parents[2])
    assert ended.returncode == 2
    assert "model.lora.rank" in ended.stderr
