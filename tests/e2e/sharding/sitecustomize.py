"""Lets CPU ranks share weights out, for tests alone: every Python that finds this folder on its path loads it.

accelerate does that among GPUs only, and on CPUs trains by DDP without a word. The rest is what runs on GPUs: torch's
FSDP2, here over gloo, accelerate's states, transformers' and TRL's trainers.
"""

import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def state(module: ModuleType) -> None:
    init = module.AcceleratorState.__init__

    def shared_out(self: Any, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
        init(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        fsdp_plugin = fsdp_plugin or getattr(self, "fsdp_plugin", None)
        if fsdp_plugin is not None:
            self.distributed_type = module.DistributedType.FSDP
            self.fsdp_plugin = fsdp_plugin

    module.AcceleratorState.__init__ = shared_out


def machine(module: ModuleType) -> None:
    module._has_gpus = lambda: True
    module.chains_at_once = lambda ranks=1: 1


PATCHES: dict[str, Callable[[ModuleType], None]] = {"accelerate.state": state, "ablation.machine": machine}


class Patching:
    """Finds the modules of `PATCHES` as they would be found, and changes them when they are loaded."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name in PATCHES else None
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_patch(module: ModuleType) -> None:
                load(module)
                PATCHES[name](module)

            spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Patching)  # type: ignore[arg-type]
