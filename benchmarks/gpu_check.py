"""What a GPU makes of it: ten steps of a randomly made Qwen3 with every engine that is here, a stop and a resume, the
overhead over bare TRL. No network, nothing to install: the Python, torch, transformers and TRL that are there.

``make gpu-check``, or ``python benchmarks/gpu_check.py [--model qwen3_1_7b] [--tiny]``; ``--tiny`` tries the check
itself where there is no GPU. Prints a table and a line for each thing that did not hold; ends with 1 if there is one.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STEPS, STOPPED_AT, SAVED = 10, 6, 5
NEEDED = ("torch", "transformers", "trl", "accelerate", "datasets", "hydra", "wandb", "pandas", "scipy")
SHOWN = {
    "s/step": "time/step",
    "generate": "time/generate",
    "sync": "time/sync",
    "score": "time/score",
    "update": "time/update",
    "tokens generated/s": "system/tokens_generated_per_s",
    "tokens trained/s": "system/tokens_trained_per_s",
    "MFU": "system/mfu",
    "GPU GB": "system/gpu_memory_gb",
}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def make_model(name: str, folder: Path) -> None:
    """A Qwen3 with random weights of the sizes in conf/model/<name>.yaml, and a tokenizer with as many tokens."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from ablation.composing import compose_config
    from ablation.tasks.load import load_tasks
    from ablation.training.pretraining import train_tokenizer

    config = compose_config([f"model={name}"])
    sizes = config.model.architecture
    tokenizer = train_tokenizer((task.prompt for task in load_tasks(config.tasks).train), 640)
    tokenizer.add_tokens([f"<|unused-{number}|>" for number in range(sizes.vocab_size - len(tokenizer))])
    torch.manual_seed(0)
    made = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = Qwen3ForCausalLM(Qwen3Config(**asdict(sizes), **made))
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def overrides(model: str, folder: Path | None, engine: str) -> list[str]:
    common = ["reward=shaped", f"generation={engine}", f"study=gpu-check-{engine}", "tracking=off"]
    common += [
        "evaluation.save_tasks=0",
        f"chain.steps={STEPS}",
        f"chain.save_every={SAVED}",
        f"chain.resume_every={SAVED}",
    ]
    common += ["selection.skip_first=0"]
    if folder is None:
        return [*common, "model.pretraining.steps=30", "grpo.train_batch_size=16"]
    sizes = ["grpo.train_batch_size=64", "grpo.per_device_train_batch_size=16", "sampling.max_completion_length=256"]
    return [*common, *sizes, f"model={model}", f"model.path={folder}", "model.prompt.style=plain"]


def rows(study: Path) -> list[dict[str, Any]]:
    path = study / "shaped-s0" / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def chain(given: list[str], cwd: Path, engine: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Runs a chain, stopped once and resumed; returns its rows, and what did not hold."""
    command = [sys.executable, "-m", "ablation.run", *given]
    study = cwd / "runs" / f"gpu-check-{engine}"
    process = subprocess.Popen(command, cwd=cwd, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while len(rows(study)) < STOPPED_AT and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    printed = process.communicate()[0].decode()
    stopped_after = len(rows(study))
    again = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    found = rows(study)
    wrong = []
    if stopped_after >= STEPS:
        wrong.append(f"{engine}: the chain was not stopped in time, so nothing was resumed")
    if again.returncode or [row["step"] for row in found][-1:] != [STEPS]:
        wrong.append(f"{engine}: ended at step {len(found)} with {again.returncode}: {(printed + again.stdout)[-600:]}")
    return found, wrong


def overhead(given: list[str]) -> tuple[str, list[str]]:
    """Our step's time over bare TRL's in the same run."""
    command = [sys.executable, str(ROOT / "benchmarks" / "bench_overhead.py"), *given]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        return "", [f"overhead: {done.stderr[-600:]}"]
    return done.stdout.strip(), []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="qwen3_0_6b", help="a name under conf/model")
    parser.add_argument("--tiny", action="store_true", help="the tiny model on a CPU: tries this check itself")
    arguments = parser.parse_args()
    absent = [name for name in NEEDED if not find_spec(name)]
    if absent:
        print(f"Not here, and needed: {', '.join(absent)}; use a Python that has them.")
        return 2
    import torch

    if not torch.cuda.is_available() and not arguments.tiny:
        print("No GPU is here, where one is expected; --tiny tries the check itself on a CPU.")
        return 2
    sys.path.insert(0, str(ROOT))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"{time.strftime('%Y-%m-%d')}, {device}, torch {torch.__version__}", flush=True)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = None if arguments.tiny else Path(scratch) / "model"
        if folder is not None:
            make_model(arguments.model, folder)
        engines = ["transformers", *(["vllm_colocate"] if find_spec("vllm") else [])]
        print(" ".join(["engine".ljust(14), *(name.rjust(len(name) + 2) for name in SHOWN)]), flush=True)
        for engine in engines:
            found, failed = chain(overrides(arguments.model, folder, engine), Path(scratch), engine)
            wrong += failed
            print(_line(engine, found[2:]), flush=True)
        said, failed = overhead(overrides(arguments.model, folder, "transformers"))
        wrong += failed
        print(said)
    print("\n".join(wrong))
    return 1 if wrong else 0


def _line(engine: str, found: list[dict[str, Any]]) -> str:
    cells = []
    for name, metric in SHOWN.items():
        values = [row[metric] for row in found if row.get(metric) is not None]
        shown = f"{statistics.median(values):.3g}" if values else "-"
        cells.append(shown.rjust(len(name) + 2))
    return " ".join([engine.ljust(14), *cells])


if __name__ == "__main__":
    raise SystemExit(main())
