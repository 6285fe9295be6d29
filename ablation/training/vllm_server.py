"""The vLLM server of a link: a process on GPUs of its own, started, watched, restarted and stopped by the link."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import requests

from ablation.config import Config
from ablation.printing import last_error
from ablation.training.places import free_port

_POLL_S = 0.5
_GRACE_S = 15.0  # for the server to end when it is asked to


class VllmServer:
    """``vllm serve`` of one model, on this machine and for this process alone."""

    def __init__(self, config: Config, model: str, positions: int, log: Path) -> None:
        """``positions``: tokens of the longest prompt and completion together."""
        self._generation = config.generation
        self._log = log
        self._gpus = gpus_of_server(config)
        self._port = free_port()
        self._process: subprocess.Popen | None = None
        self._command = [
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", model),
            *("--host", "127.0.0.1"),
            *("--port", str(self._port)),
            *("--tensor-parallel-size", str(self._generation.tensor_parallel_size)),
            *("--gpu-memory-utilization", str(self._generation.gpu_memory_utilization)),
            *("--max-model-len", str(positions)),
            *("--weight-transfer-config", '{"backend": "nccl"}'),
            *("--logprobs-mode", "processed_logprobs"),  # of the distribution that was sampled from
            *("--max-logprobs", "-1"),
        ]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            RuntimeError: it ended, or does not answer in time.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._process = self._started(output)
        deadline = time.monotonic() + self._generation.server_timeout_s
        while not self.healthy():
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"the vLLM server ended with exit code {self._process.returncode} before it answered "
                    f"({self._last_error() or 'it said nothing'}); its output is in {self._log}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(
                    f"the vLLM server did not answer in {self._generation.server_timeout_s:.0f} s; see {self._log}, "
                    "and set generation.server_timeout_s higher if it was still loading"
                )
            time.sleep(_POLL_S)

    def healthy(self) -> bool:
        """Whether it answers now."""
        try:
            return requests.get(f"{self.url}/health", timeout=5).status_code == requests.codes.ok
        except requests.RequestException:
            return False

    def restart(self) -> None:
        """Ends what is left of the server, and starts it again with the weights that it began with."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Ends the server and its workers; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(_GRACE_S)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def __enter__(self) -> "VllmServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _last_error(self) -> str:
        return last_error(self._log.read_text(encoding="utf-8", errors="replace"))

    def _started(self, output: IO[bytes]) -> subprocess.Popen:
        # Its workers are in its group, and the guard ends the group when this process is gone, however it went.
        command = [sys.executable, "-m", "ablation.training.guarded", *self._command]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**_without_ranks(os.environ), **self._environment()},
        )

    def _environment(self) -> dict[str, str]:
        own = {"VLLM_SERVER_DEV_MODE": "1"}  # which takes weights
        return own | ({"CUDA_VISIBLE_DEVICES": ",".join(self._gpus)} if self._gpus else {})


def gpus_of_server(config: Config, visible: str | None = None) -> Sequence[str]:
    """The GPUs that sample, by what CUDA_VISIBLE_DEVICES calls them: those after the ranks'. None without GPUs."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible
    if config.cluster.gpus == 0 and not visible:
        return ()
    names = visible.split(",") if visible else [str(number) for number in range(config.cluster.gpus)]
    ranks_here = config.cluster.ranks // config.cluster.nodes
    return names[ranks_here : ranks_here + config.generation.own_gpus]


def _without_ranks(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment less what makes torch take the server for a rank of the chain."""
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK")
    return {name: value for name, value in environment.items() if name not in names}
