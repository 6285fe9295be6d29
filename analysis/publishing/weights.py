"""A checkpoint's files: which of them make a model repo, and how large the model is, from headers alone."""

import json
import math
import shutil
import struct
from pathlib import Path
from typing import NamedTuple

from analysis.errors import AnalysisError

_TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_CONFIGS = ("config.json", "generation_config.json", "tokenizer_config.json")
_KNOWN = (
    *_CONFIGS,
    *_TOKENIZER,
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "model.safetensors.index.json",
)
_LONGEST_HEADER = 100_000_000  # bytes; what the format allows


class Weights(NamedTuple):
    """Files of a checkpoint: those that are published, those that are not, and the number of weights."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]
    parameters: int  # a tensor that is shared is stored, and counted, once


def weights(checkpoint: Path, evaluate: str) -> Weights:
    """What of a checkpoint's folder is published.

    Raises:
        AnalysisError: the folder or a needed file is gone, or the weights are not whole.
    """
    found = sorted(path for path in checkpoint.iterdir() if path.is_file()) if checkpoint.is_dir() else []
    names = {path.name for path in found}
    tensors = [path for path in found if path.suffix == ".safetensors" and path.name.startswith("model")]
    lacking = [name for name in _CONFIGS if name not in names]
    lacking += [] if tensors else ["model.safetensors"]
    lacking += [] if names & set(_TOKENIZER) else ["tokenizer.json"]
    if lacking:
        what = f"lacks {', '.join(lacking)}" if found else "was deleted"
        raise AnalysisError(
            f"The checkpoint {checkpoint.as_posix()} {what}, where a whole model is expected: put it back, "
            f"or train the chain again and type `{evaluate}`."
        )
    published = tuple(path for path in found if path.name in _KNOWN or path in tensors)
    left_out = tuple(path.name for path in found if path not in published)
    return Weights(published, left_out, sum(_parameters(path) for path in tensors))


def copy(found: Weights, folder: Path) -> None:
    """Copies the files with ordinary permissions; weights are saved readable by their owner only."""
    for path in found.files:
        shutil.copyfile(path, folder / path.name)


def header(path: Path) -> bytes:
    """The JSON header of a safetensors file: 8 bytes of length, little endian, then the text.

    Raises:
        AnalysisError: it is no such file, or it was cut off.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = file.read(length) if 0 < length <= _LONGEST_HEADER else b""
    if not text or len(text) < length:
        raise _damaged(path)
    return text


def _parameters(path: Path) -> int:
    text = header(path)
    try:
        tensors = [tensor for name, tensor in json.loads(text).items() if name != "__metadata__"]
        end = max((tensor["data_offsets"][1] for tensor in tensors), default=0)
        count = sum(math.prod(tensor["shape"]) for tensor in tensors)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    if path.stat().st_size != 8 + len(text) + end:
        raise _damaged(path)
    return count


def _damaged(path: Path) -> AnalysisError:
    return AnalysisError(
        f"{path.as_posix()} is no whole safetensors file; put the checkpoint back, or train its chain again."
    )


def size(parameters: int) -> str:
    """A number of weights as models are named after it: 0.5M, 494M, 1.7B, 8B."""
    unit, scale = ("B", 1e9) if parameters >= 999.5e6 else ("M", 1e6)
    count = parameters / scale
    text = f"{count:.1g}" if count < 0.95 else f"{count:.1f}" if count < 4.95 else f"{count:.0f}"
    return text.removesuffix(".0") + unit
