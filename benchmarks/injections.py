"""The drill's other faults, each injected from outside into a short chain of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import drilling
import psutil

from ablation.training.links import AUTOMATIC

sys.path.insert(0, str(drilling.ROOT))
LONG = 120  # steps, for a chain that must not be over before its job
START_S = 900.0  # for a link to make its first step, on a busy machine
CGROUP = Path("/sys/fs/cgroup/memory")
RAISING = """
import os, sys
if "ablation.training.link" in sys.orig_argv:
    import importlib.util
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name != "ablation.scoring.rewards":
                return None
            sys.meta_path.remove(finder)
            spec = importlib.util.find_spec(name)
            loaded = spec.loader.exec_module
            def exec_module(module):
                loaded(module)
                real, calls = module.REWARDS["shaped"], []
                def raising(verdict, **params):
                    calls.append(1)
                    if len(calls) > 80:
                        raise ZeroDivisionError("a fault of the drill")
                    return real(verdict, **params)
                raising.__doc__ = real.__doc__
                module.REWARDS["shaped"] = raising
            spec.loader.exec_module = exec_module
            return spec
    finder = Finder()
    sys.meta_path.insert(0, finder)
"""


# libfaketime breaks time.sleep of Python 3.11, so that the clock is shifted in Python.
JUMPING = """
import os, time
from pathlib import Path
real, clock = time.time, os.environ.get("DRILL_CLOCK")
if clock:
    time.time = lambda: real() + float(Path(clock).read_text() or 0)
"""


class NotHereError(Exception):
    """This machine cannot inject the fault, and why."""


@dataclass
class Drill:
    """One fault's chain: where it is trained, what is typed, and the chain that it must equal."""

    work: Path
    name: str
    typed: list[str]
    reference: Path
    steps: int

    def row(self, fault: Callable[["Drill"], str]) -> tuple[str, str, str, str]:
        """Injects the fault, lets the chain go on to its end, and compares; kept for a drill that goes on."""
        kept = self.work / f"{self.name}.json"
        if not kept.exists():
            name, _, phase = (fault.__doc__ or "").rstrip(".").partition(": ")
            shutil.rmtree(self.chain, ignore_errors=True)
            try:
                seen = fault(self)
                self.finish()
                different = drilling.differences(self.chain, self.reference, self.steps)
                outcome = f"{seen}; then {f'{len(different)} values differ' if different else 'equal'}"
                kept.write_text(json.dumps((name, "1", phase, outcome)))
            except NotHereError as error:
                return name, "0", phase, f"not injected: {error}"
        return tuple(json.loads(kept.read_text()))

    @property
    def chain(self) -> Path:
        return self.work / "runs" / self.name / "shaped-s0"

    def start(self, *more: str, **environment: str) -> subprocess.Popen:
        return drilling.start(self.work, [*self.typed, f"study={self.name}", *more], **environment)

    def finish(self) -> None:
        code = self.start().wait()
        assert code == 0, f"the chain did not go on after {self.name}: code {code}, see {self.work / 'printed'}"

    def until_step(self, process: subprocess.Popen, step: int) -> None:
        reached = drilling.wait(lambda: process.poll() is not None or len(drilling.rows(self.chain)) >= step, START_S)
        assert reached, f"no step {step} within {START_S} s, see {self.work / 'printed'}"

    def status(self) -> str:
        record = json.loads((self.chain / "chain.json").read_text())
        link = record["links"][-1]
        cause = (link["cause"] or "").replace(str(self.chain), "the chain's folder")
        return cause if cause == record["status"] else f"{record['status']}: {cause}"


def told_to_stop(drill: Drill, number: int) -> str:
    process = drill.start()
    drill.until_step(process, 1)
    os.killpg(process.pid, number)  # as Slurm does: every process of the group gets it
    process.wait()
    return drill.status()


def sigterm(drill: Drill) -> str:
    """SIGTERM to the process group: any."""
    return told_to_stop(drill, signal.SIGTERM)


def sigusr2(drill: Drill) -> str:
    """SIGUSR2 to the process group, as before the wall time: any."""
    return told_to_stop(drill, signal.SIGUSR2)


def job_end(drill: Drill) -> str:
    """the job ends: after some steps."""
    drill.steps = LONG
    drill.typed.append(f"chain.steps={LONG}")
    process = drill.start()  # measures what a start takes here
    drill.until_step(process, 2)
    drilling.kill(process)
    # Room for the start, a few steps and the closing, not for the chain.
    seconds = max(drilling.startups(drill.chain)) * 1.3 + 20
    drill.start(f"cluster.time_min={seconds / 60:.2f}").wait()
    status = drill.status()
    assert "the job ends in" in status, f"the job was not too short for the chain: {status}"
    return status


def reward_raises(drill: Drill) -> str:
    """exception in the reward, twice at one step, the second in a link that followed by itself: scoring."""
    folder = drill.work / "raising"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(RAISING)
    path = f"{folder}{os.pathsep}{drilling.ROOT}"
    drill.typed.append("chain.resume_every=4")  # the third step raises: nothing is saved before
    for automatic in ({}, {AUTOMATIC: "1"}, {AUTOMATIC: "1"}):
        drill.start(PYTHONPATH=path, **automatic).wait()
    record = json.loads((drill.chain / "chain.json").read_text())
    assert len(record["links"]) == 2, "a third link began by itself"
    return f"{drill.status()}; given up after two links"


def out_of_memory(drill: Drill) -> str:
    """the kernel's out-of-memory killer, by a limit of 450 MiB: start-up."""
    group = CGROUP / f"ablation-drill-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(450 * 2**20))
    except OSError as error:
        raise NotHereError(f"no cgroup with a memory limit ({error})") from error
    try:
        process = drill.start()
        assert drilling.wait(lambda: drilling.link_of(process) is not None, START_S)
        link = drilling.link_of(process)
        assert link is not None
        (group / "cgroup.procs").write_text(str(link.pid))
        process.wait()
    finally:
        drilling.wait(lambda: not (group / "cgroup.procs").read_text(), 30)
        group.rmdir()
    return drill.status()


@contextmanager
def small_disk(drill: Drill, size: str) -> Iterator[Path]:
    """A file system of its own for the chain's study."""
    study = drill.chain.parent
    study.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(study)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        raise NotHereError(f"no file system can be mounted ({mounted.stderr.strip()})")
    try:
        yield study
    finally:
        kept = study.with_name(f"{study.name}-kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(study, kept)
        subprocess.run(["umount", str(study)], check=True)
        study.rmdir()
        kept.rename(study)


def disk_full(drill: Drill) -> str:
    """disk full, 12 MB: a state or a candidate is written."""
    with small_disk(drill, "12m"):
        drill.start().wait()
    return drill.status()


def read_only(drill: Drill) -> str:
    """run folder becomes read-only (immutable): any."""
    process = drill.start()
    drill.until_step(process, 1)
    folders = [str(path) for path in (drill.chain, *drill.chain.iterdir()) if path.is_dir()]
    changed = subprocess.run(["chattr", "+i", *folders], capture_output=True, text=True, check=False)
    try:
        if changed.returncode:
            process.wait()
            raise NotHereError(f"folders cannot be made immutable ({changed.stderr.strip()})")
        process.wait()
        assert drill.start().wait() == 2, "the next link was not refused"
    finally:
        subprocess.run(["chattr", "-i", *folders], check=False, stderr=subprocess.DEVNULL)
    said = (drill.work / "printed").read_text().splitlines()
    sentence = next(line for line in reversed(said) if "cannot be written" in line)
    return f"the link ends, the next is refused: cannot be {sentence.partition('cannot be ')[2]}"


def clock_jumps(drill: Drill) -> str:
    """Python's clock jumps a day ahead and two back: any."""
    folder, clock = drill.work / "jumping", drill.work / "clock"
    folder.mkdir(exist_ok=True)
    clock.write_text("0")
    (folder / "sitecustomize.py").write_text(JUMPING)
    process = drill.start(PYTHONPATH=f"{folder}{os.pathsep}{drilling.ROOT}", DRILL_CLOCK=str(clock))
    for step, offset_s in ((1, 86400), (2, -86400)):
        drill.until_step(process, step)
        clock.write_text(str(offset_s))
    process.wait()
    return drill.status()


def wandb_dies(drill: Drill) -> str:
    """the W&B service process is killed: any."""
    process = drill.start()
    drill.until_step(process, 1)
    family = psutil.Process(process.pid).children(recursive=True)
    service = [one for one in family if "wandb-core" in " ".join(one.cmdline())]
    assert service, "no W&B service process was found"
    for one in service:
        one.kill()
    process.wait()
    return drill.status()


def network_goes(drill: Drill) -> str:
    """the network goes away while W&B is online: any."""
    from tests.analysis.wandb_server import serving

    with serving() as server:
        process = drill.start("tracking=online", **server.environment())
        drill.until_step(process, 1)
    process.wait()
    return drill.status()


def bad_state(drill: Drill) -> str:
    """the last state is corrupt: between links."""
    process = drill.start()
    drill.until_step(process, 5)
    drilling.kill(process)
    newest = max((drill.chain / "resume").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    victim = newest / "optimizer.pt"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    drill.finish()
    said = "".join(log.read_text() for log in sorted((drill.chain / "logs").glob("*.log")))
    assert "is not valid (missing or changed: optimizer.pt)" in said
    return "set aside with a warning"


def two_processes(drill: Drill) -> str:
    """two processes on one chain: any."""
    drill.steps = LONG  # so that the first is not over before the second begins
    drill.typed.append(f"chain.steps={LONG}")
    first = drill.start()
    drill.until_step(first, 1)
    second = drill.start()
    assert second.wait() == 2, "the second process was not refused"
    first.wait()
    return f"the second is refused, the first {drill.status()}"


FAULTS = (
    sigterm, sigusr2, job_end, reward_raises, out_of_memory, disk_full, read_only, clock_jumps, wandb_dies,
    network_goes, bad_state, two_processes,
)  # fmt: skip
