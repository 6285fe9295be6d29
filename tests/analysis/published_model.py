"""A finished study whose checkpoints hold a tiny random model, for tests of publishing."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import study_folder

from ablation.provenance import provenance

_MAKE = """
import sys
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, set_seed

set_seed(0)
words = ["<pad>", "<eos>", "<unk>", "def", "return", "x", "k"]
tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
tokenizer.pre_tokenizer = Whitespace()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
model = Qwen3ForCausalLM(Qwen3Config(
    vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
    head_dim=8, intermediate_size=32, tie_word_embeddings=True, eos_token_id=1, pad_token_id=0,
))
model.save_pretrained(sys.argv[1])
fast.save_pretrained(sys.argv[1])
print(sum(parameter.numel() for parameter in model.parameters()))
"""


def make_model(folder: Path) -> int:
    """Writes a random model with its tokenizer, and returns its number of weights."""
    done = subprocess.run([sys.executable, "-c", _MAKE, str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def write_study(study: Path, model: Path) -> Path:
    """A finished, evaluated study as training leaves it today, with ``model`` as every checkpoint."""
    study_folder.write_study(study, steps=100)  # so that names of steps do not sort as numbers do
    for chain in study.glob("*-s*"):
        for checkpoint in (chain / "checkpoints").iterdir():
            shutil.copytree(model, checkpoint, dirs_exist_ok=True, copy_function=os.link)
        amend(chain, origins={"base": "made here", "tasks": "local folder"}, reward_text="What earns how much.")
        amend(chain, base_model=str(study.parent / ".cache" / "tiny-0123456789ab"), tasks_fingerprint="86ef24f762d5")
        amend(chain, command=f"python -m ablation.run -m study=demo reward=binary,shaped runs_dir={study.parent}")
        amend_link(chain, provenance=asdict(provenance()))
    return study


def amend(chain: Path, **changes: object) -> None:
    """Changes fields of a chain's record."""
    record = json.loads((chain / "chain.json").read_text())
    (chain / "chain.json").write_text(json.dumps(record | changes, indent=1))


def amend_link(chain: Path, **changes: object) -> None:
    """Changes fields of every link of a chain's record."""
    record = json.loads((chain / "chain.json").read_text())
    amend(chain, links=[link | changes for link in record["links"]])
