"""Choose the tier of containment by trying: a small server is started in each and attacks its own walls."""

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ablation.scoring.containment.bubblewrap import server_command
from ablation.scoring.containment.paths import PACKAGE
from ablation.scoring.containment.probe import DONE
from ablation.scoring.containment.tiers import NONE, TIERS, SandboxError, Tier, named

PROBE_S = 30.0  # for one probe, on a busy machine or a slow file system

WAY_OUT = (
    "Enable Landlock (Linux 5.13 or newer, 'landlock' in the kernel's lsm= list) or user namespaces (sysctl "
    "user.max_user_namespaces; in a container a seccomp profile that allows them), or accept that candidates run "
    "unsandboxed, which is recorded in the results: scoring.sandbox=none"
)


@dataclass(frozen=True)
class Choice:
    """The tier that candidates will run in, and a sentence for each stronger one that did not hold."""

    tier: Tier
    refused: tuple[str, ...] = ()


@functools.cache
def choose(wanted: str | None = None) -> Choice:
    """The strongest tier that holds on this machine, or ``wanted`` if it holds. Tried once in each process.

    Raises:
        SandboxError: ``wanted`` is no tier or does not hold, or none does. There is no silent way to "none".
    """
    if wanted is not None:
        tier = named(wanted)
        if tier != NONE and (fault := _fault(tier)):
            raise SandboxError(f"scoring.sandbox={wanted} does not hold on this machine: {fault}. {WAY_OUT}")
        return Choice(tier)
    refused: list[str] = []
    for tier in TIERS:
        fault = _fault(tier)
        if fault is None:
            return Choice(tier, tuple(refused))
        refused.append(f"{tier.name}: {fault}")
    raise SandboxError(f"no containment of candidates holds on this machine ({'; '.join(refused)}). {WAY_OUT}")


def _fault(tier: Tier) -> str | None:
    """Why the tier does not hold; None when it does."""
    if sys.platform != "linux":
        return f"it needs Linux, and this is {sys.platform}"
    with tempfile.TemporaryDirectory(prefix="ablation-probe-") as folder:
        outside, work = Path(folder, "outside"), Path(folder, "work")
        outside.write_text("x")
        work.mkdir()
        argv = [sys.executable, "-P", "-S", "-m", "ablation.scoring.containment.probe"]
        argv += [tier.name, str(work), str(outside)]
        try:
            ended = subprocess.run(
                server_command(tier, argv, (), work),
                cwd=work,
                env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PROBE_S,
                check=False,
            )
        except SandboxError as error:
            return str(error)
        except subprocess.TimeoutExpired:
            return f"its probe did not end within {PROBE_S:.0f} s"
        except OSError as error:
            return f"its probe did not start ({error})"
    lines = ended.stdout.splitlines()
    if ended.returncode or DONE not in lines:
        return (ended.stderr.strip().splitlines() or [f"its probe ended with {ended.returncode}"])[-1]
    return ", ".join(lines[: lines.index(DONE)]) or None
