"""``wandb sync`` in a process of its own, whose word is not taken: it ends with 0 on most failures."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from analysis.errors import AnalysisError

_POLL_S = 0.1
STALLED_S = 600.0  # without a word from the client, after which it is stopped
# The client would retry for hours; the next call goes on where this one stops.
_PATIENCE = {
    f"WANDB_X_{part}_{limit}": value
    for part in ("GRAPHQL", "FILE_STREAM", "FILE_TRANSFER")
    for limit, value in (("RETRY_MAX", "5"), ("RETRY_WAIT_MIN_SECONDS", "1"), ("RETRY_WAIT_MAX_SECONDS", "15"))
}
_KEY = re.compile(r"\b[0-9a-f]{40,}\b|\bwandb_v\d_\w+")


def sync(logs: Sequence[Path], scratch: Path, *, url: str, project: str, entity: str, keep_open: int) -> None:
    """Uploads logs of one run, which are in the order in which they are to arrive.

    The descriptor ``keep_open`` is inherited by the client.

    Raises:
        AnalysisError: the client said that something went wrong, did not mark every log, or fell silent.
    """
    command = [sys.executable, "-m", "wandb", "sync", "--project", project, "--entity", entity, *map(str, logs)]
    environment = {name: value for name, value in os.environ.items() if name not in ("WANDB_MODE", "WANDB_SILENT")}
    environment = _PATIENCE | environment | {"WANDB_BASE_URL": url, "WANDB_DIR": str(scratch)}
    heard = scratch / "said.txt"
    with heard.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(keep_open,),
        )
        try:
            _wait(process, heard)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    lines = heard.read_text(errors="replace").splitlines()
    said = [line.strip().removeprefix("wandb: ") for line in lines if line.strip()]
    problem = next((line for line in said if re.search(r"\bERROR\b|^Error\b|\bFailed\b", line)), "")
    unmarked = [log for log in logs if not log.with_name(f"{log.name}.synced").exists()]
    if problem or process.returncode or unmarked:
        told = problem or (said[-1] if said else "no word")
        remedy = "give another --project" if "deleted" in told else "type the command again"
        raise AnalysisError(f"`wandb sync` did not finish ({_KEY.sub('…', told)}): {remedy}")


def _wait(process: subprocess.Popen[bytes], heard: Path) -> None:
    """Returns when the client has ended; raises AnalysisError when it falls silent."""
    size, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(_POLL_S)
        if heard.stat().st_size != size:
            size, since = heard.stat().st_size, time.monotonic()
        elif time.monotonic() - since > STALLED_S:
            raise AnalysisError(
                f"the server took nothing for {STALLED_S / 60:.0f} minutes: check the network, and type the command "
                "again"
            )
