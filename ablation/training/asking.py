"""How a chain's model is asked its tasks, found out before any model is loaded.

This module does not import torch. Tokenizers do, so chains have theirs looked at in a process of its own, run as
``python -m ablation.training.asking CONFIG_YAML MODEL RESULT_JSON``, once for chains that share model and tasks.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

import ablation
from ablation import config as configuration
from ablation.config import Config, ConfigError
from ablation.tasks.load import load_tasks, say_once
from ablation.tasks.prompt_lengths import Asked, ask, limit_of, positions_of
from ablation.tasks.prompts import questions, style_of
from ablation.tasks.task import Task
from ablation.training.base_model import base_model_path, ensure_base_model
from ablation.training.lifeline import end_with_parent

_RECIPE = 1  # part of the cache key: raise it when other prompts would come out
_OF_A_TOKENIZER = ("*.json", "*.jinja", "*.model", "*.txt")


def how_asked(config: Config) -> Asked:
    """Returns how the model of ``config``, which must exist by now, is asked; says once what is dropped.

    Raises ConfigError for what cannot be asked, or when the model's tokenizer cannot be loaded.
    """
    model = base_model_path(config)
    cached = Path(config.runs_dir).absolute() / ".cache" / f"prompts-{_key(config, model)}.json"
    cached.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cached.with_suffix(".lock")):
        if not cached.exists():
            _find_out(config, model, cached)
    asked = Asked(**json.loads(cached.read_text()))
    if asked.warning:
        say_once(asked.warning)
    return asked


def what_is_read(config: Config, task: Task) -> str:
    """Returns all that the model of ``config``, made if need be, reads when it is asked ``task``, for a person.

    Raises ConfigError for what cannot be asked.
    """
    tokenizer, positions = _tokenizer(ensure_base_model(config))
    [question] = questions([task], config.model.prompt, tokenizer)
    style, limit = style_of(config.model.prompt, tokenizer), limit_of(config.sampling, positions)
    length = f"{len(question.ids)} tokens" + ("" if limit is None else f" of at most {limit}")
    return f"task      {task.task_id}\nasked     {style}, {length}\n\n{question.text}"


def _key(config: Config, model: str) -> str:
    parts = [
        _RECIPE,
        _tokenizer_fingerprint(model),
        load_tasks(config.tasks).fingerprint,
        asdict(config.model.prompt),
        asdict(config.sampling),
        config.grpo.prompts_per_step,
        [ablation.__version__, version("transformers")],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _tokenizer_fingerprint(model: str) -> list[str]:
    """The files beside the weights by name and content; a Hub id stands for itself."""
    paths = sorted(path for pattern in _OF_A_TOKENIZER for path in Path(model).glob(pattern))
    return [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths] or [model]


def _find_out(config: Config, model: str, cached: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".asking-") as scratch:
        config_file, result = Path(scratch) / "config.yaml", Path(scratch) / "asked.json"
        configuration.save(config, config_file)
        command = [sys.executable, "-m", "ablation.training.asking", str(config_file), model, str(result)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
            code = process.wait()  # its standard input closes with this process, and ends it
        if code:
            raise ConfigError(
                f"loading the tokenizer of {model} ended with exit code {code}; the reason is printed above: mend it "
                "and run the same command again."
            )
        found: dict[str, Any] = json.loads(result.read_text())
        if "refused" in found:
            raise ConfigError(found["refused"])
        result.rename(cached)


def _tokenizer(model: str) -> tuple[Any, int | None]:
    """The tokenizer of a model, and how many positions that has.

    Raises ConfigError when they are not here and cannot be had.
    """
    from transformers import AutoConfig, AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model), positions_of(AutoConfig.from_pretrained(model))
    except OSError as error:  # the Hub's errors, of a gated model too, are OSErrors
        reason = (str(error).splitlines() or [""])[0].removesuffix(".")
        raise ConfigError(
            f"{model} is not here and cannot be had from the Hub ({reason}); where there is a network type "
            f"`hf download {model}` (after `hf auth login` for a gated model), with HF_HOME a folder that this machine "
            "sees too, or set model.path to a folder."
        ) from error


def main() -> None:
    end_with_parent()
    config = configuration.load(sys.argv[1])
    try:
        tokenizer, positions = _tokenizer(sys.argv[2])
        found = asdict(ask(config, load_tasks(config.tasks), tokenizer, positions))
    except ConfigError as error:
        found = {"refused": str(error)}
    Path(sys.argv[3]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
