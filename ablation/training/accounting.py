"""What a step cost: tokens a second, the share of the GPUs' peak that the arithmetic took, GPU memory and hours."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ablation import metrics

# Of bf16 without sparsity, in 10^12 operations a second, by what the device's name holds: NVIDIA's data sheets.
_PEAKS = (
    ("B200", 2250.0),
    ("GH200", 989.0),
    ("H200", 989.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("A100", 312.0),
    ("L40S", 362.0),
    ("L40", 181.0),
)
_LENGTH = "completions/mean_length"  # TRL's, in tokens


def peak_of(device: str) -> float | None:
    """Operations a second of a GPU by its name; None where it is not known."""
    return next((1e12 * peak for name, peak in _PEAKS if name in device), None)


class Accounting:
    """Keeps the count for one link."""

    def __init__(self, parameters: int, gpus: int, earlier: Iterable[Mapping[str, Any]] = ()) -> None:
        """``gpus`` of the chain, those that only sample too, where there are any; ``earlier``: rows of other links."""
        cuda = torch.cuda.is_available()
        self._parameters = parameters
        self.trained = parameters  # of them; with adapters those
        self._gpus = gpus if cuda else 0
        self._peak = peak_of(torch.cuda.get_device_name()) if cuda else None
        self._hours_before = max((row.get(metrics.GPU_HOURS) or 0.0 for row in earlier), default=0.0)
        self._tokens = 0

    def begin(self, tokens: int) -> None:
        """A step begins, before which ``tokens`` tokens were trained on, by TRL's count."""
        self._tokens = tokens

    def row(
        self, times: Mapping[str, Any], logged: Mapping[str, Any], *, tokens: int, samples: int, link_s: float
    ) -> dict[str, float | None]:
        """Returns what the history says of a step.

        Args:
            times: the step's seconds by the names of ``ablation.metrics``.
            logged: what TRL logged for it.
            tokens: how many were trained on by now, by TRL's count.
            samples: completions of the step, over all ranks.
            link_s: seconds since the link's supervisor began.
        """
        trained = tokens - self._tokens
        generated = samples * float(logged.get(_LENGTH) or 0.0)
        # Forward, and backward to what is trained, over what is trained on, forward over what is sampled; without
        # attention's square, and without what gradient checkpointing computes again (Chowdhery et al. 2022, arXiv
        # 2204.02311, appendix B).
        operations = (4 * self._parameters + 2 * self.trained) * trained + 2 * self._parameters * generated
        gpu_s = self._gpus * times[metrics.TIME_STEP]
        return {
            metrics.TOKENS_GENERATED: _rate(generated, times[metrics.TIME_GENERATE]),
            metrics.TOKENS_TRAINED: _rate(trained, times[metrics.TIME_UPDATE]),
            metrics.MFU: operations / (self._peak * gpu_s) if self._peak and gpu_s else None,
            metrics.GPU_MEMORY_GB: torch.cuda.max_memory_allocated() / 1e9 if self._gpus else None,
            metrics.GPU_HOURS: self._hours_before + self._gpus * link_s / 3600,
        }


def _rate(count: float, seconds: float) -> float | None:
    return count / seconds if seconds > 0 else None
