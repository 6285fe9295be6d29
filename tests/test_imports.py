"""Commands that people wait for do not load what they do not need."""

import subprocess
import sys

import pytest

SLOW = ("torch", "transformers", "trl", "vllm", "wandb", "scipy.stats")
COMMANDS = ("run", "audit", "score", "evaluate", "status", "repeat")
READERS = ("report", "pull", "dashboard", "sync", "publish")


@pytest.mark.parametrize("module", [f"ablation.{name}" for name in COMMANDS] + [f"analysis.{name}" for name in READERS])
def test_a_command_is_there_without_loading_a_framework(module: str):
    code = f"import sys, {module}; print(*sorted({{*{SLOW}}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
