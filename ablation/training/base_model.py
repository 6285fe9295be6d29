"""Where a chain's base model is, and the making of the tiny one before chains start.

This module never imports torch: the work is done by ``ablation.training.pretraining`` in a process of its own.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from ablation import config as configuration
from ablation.config import Config, ConfigError
from ablation.tasks.load import load_tasks
from ablation.tasks.prompt_lengths import limit_of

RECIPE = 2  # part of the cache key: raise it when the corpus or the pre-training changes


def base_model_path(config: Config) -> str:
    """Returns the folder, or the Hub id, of the base model; the tiny one may not exist yet."""
    return config.model.path or str(_tiny_folder(config))


def ensure_base_model(config: Config) -> str:
    """Returns ``base_model_path(config)`` after building the tiny model if it is not cached.

    Processes that ask at once wait for the one that builds. Raises ConfigError when a local folder that was
    asked for holds no model, when the building fails, or when prompt and completion cannot fit into what it builds.
    """
    path = config.model.path
    if path is not None:
        if path.startswith(("/", ".", "~")) and not (Path(path).expanduser() / "config.json").exists():
            raise ConfigError(
                f"model.path={path} holds no config.json; expected a folder that transformers can load, or the id "
                "of a model on the Hub: check the path, or type model=tiny."
            )
        return path
    limit_of(config.sampling, config.model.architecture.max_position_embeddings)  # minutes sooner than it would else
    folder = _tiny_folder(config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            _build(config, folder)
    return str(folder)


def held_out_prompts(config: Config) -> list[str]:
    """Returns the prompts of the validation and test split, which the corpus must not contain."""
    splits = load_tasks(config.tasks)
    return [task.prompt for task in [*splits.validation, *splits.test]]


def _tiny_folder(config: Config) -> Path:
    sizes = asdict(config.model.architecture)
    if sizes["tie_word_embeddings"]:  # as ever since before there was a choice
        del sizes["tie_word_embeddings"]
    recipe = [
        RECIPE,
        sizes,
        asdict(config.model.pretraining),
        held_out_prompts(config),
    ]
    key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]
    return Path(config.runs_dir).absolute() / ".cache" / f"{config.model.name}-{key}"


def _build(config: Config, folder: Path) -> None:
    threads = str(config.model.pretraining.threads)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        config_file = Path(scratch) / "config.yaml"
        configuration.save(config, config_file)
        command = [
            sys.executable,
            "-m",
            "ablation.training.pretraining",
            str(config_file),
            f"{scratch}/model",
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
            code = process.wait()  # its standard input closes with this process, and ends it
        if code:
            raise ConfigError(
                f"building the base model {config.model.name} ended with exit code {code}; the reason "
                "is printed above: mend it and run the same command again."
            )
        (Path(scratch) / "model").rename(folder)
