"""What vLLM and TRL need to run on a CPU, for tests alone: every Python that finds this folder on its path loads it.

vLLM's CPU build repacks weights for oneDNN once, so later weights would not count; and TRL sends weights to a server by
NCCL, which needs GPUs, so a gloo-like broadcast over TCP stands in. Sampling, loading of weights and everything else
is theirs. With ``ABLATION_TEST_STALE`` a tensor whose name holds that text is not sent any more after the first time;
with ``ABLATION_TEST_SHARDED`` ranks may share weights out.
"""

import importlib.abc
import importlib.machinery
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def ops(module: ModuleType) -> None:
    module._supports_onednn = False


def layers(module: ModuleType) -> None:
    module.check_cpu_sgl_kernel = lambda *_, **__: False


def arguments(module: ModuleType) -> None:
    make = module.EngineArgs.create_engine_config

    def exactly(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.enforce_eager, self.dtype = True, "float32"
        return make(self, *args, **kwargs)

    module.EngineArgs.create_engine_config = exactly


def generation(module: ModuleType) -> None:
    stale = os.environ.get("ABLATION_TEST_STALE")
    if not stale:
        return
    every = module.VLLMGeneration._iter_named_params
    sent: set[str] = set()

    def some(self: Any) -> Any:
        for name, tensor in every(self):
            if stale not in name or name not in sent:
                sent.add(name)
                yield name, tensor

    module.VLLMGeneration._iter_named_params = some


class Broadcast:
    """What TRL's trainer and vLLM's worker use of an NCCL communicator, over vLLM's own TCP store."""

    def __init__(self, host: str, port: int, rank: int, world_size: int) -> None:
        from vllm.distributed.utils import StatelessProcessGroup

        self.group = StatelessProcessGroup.create(host=host, port=port, rank=rank, world_size=world_size)

    def broadcast(self, tensor: Any, src: int) -> Any:
        return self.group.broadcast_obj(tensor, src)


def server_side(module: ModuleType) -> None:
    def join(info: Any, parallel: Any) -> Broadcast:
        rank = parallel.data_parallel_index * parallel.world_size + parallel.rank + info.rank_offset
        return Broadcast(info.master_address, info.master_port, rank, info.world_size)

    def receive(iterator: Any, group: Broadcast, src: int, post_unpack_func: Callable, **_: Any) -> None:
        for name, (shape, dtype) in iterator:
            tensor = group.broadcast(None, src)
            assert (list(tensor.shape), tensor.dtype) == (list(shape), dtype), name
            post_unpack_func([(name, tensor)])

    module.worker_init_process_group = join
    module.packed_nccl_broadcast_consumer = receive


def trainer_side(module: ModuleType) -> None:
    def join(info: dict[str, Any]) -> Broadcast:
        return Broadcast(info["master_address"], info["master_port"], 0, info["world_size"])

    def send(iterator: Any, group: Broadcast, src: int, post_iter_func: Callable, **_: Any) -> None:
        for item in iterator:
            group.broadcast(post_iter_func(item).detach().cpu().contiguous().clone(), src)

    module.open_trainer_endpoint = join
    module.packed_nccl_broadcast_producer = send
    connect = module.VLLMClient.init_communicator
    module.VLLMClient.init_communicator = lambda self, device=0: connect(self, "cuda")  # which calls no CUDA


SWITCHES: dict[str, Callable[[ModuleType], None]] = {
    "vllm._custom_ops": ops,
    "vllm.model_executor.layers.utils": layers,
    "vllm.engine.arg_utils": arguments,
    "trl.generation.vllm_generation": generation,
    "trl.generation.vllm_client": trainer_side,
    "vllm.distributed.weight_transfer.nccl_engine": server_side,
}


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules above as anyone would, and changes them once they are loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in SWITCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_switch(module: ModuleType) -> None:
                run(module)
                SWITCHES[name](module)

            spec.loader.exec_module = run_and_switch  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Finder())
if os.environ.get("ABLATION_TEST_SHARDED"):
    runpy.run_path(str(Path(__file__).parents[2] / "e2e" / "sharding" / "sitecustomize.py"))
