"""A real candidate server for the tests: it runs snippets of Python in confined children and says how they ended."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ablation.scoring.containment.bubblewrap import server_command
from ablation.scoring.containment.paths import PACKAGE
from ablation.scoring.containment.tiers import Tier

# Runs inside. A snippet finds say() for what it has to tell; an exception is told as "Type errno".
SERVER = """
import _multiprocessing, asyncio, ctypes, fcntl, json, mmap, os, resource, select, signal, socket, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ablation.scoring.containment.confine import confine_child, confine_server, end_child
from ablation.scoring.containment.tiers import named

os.dup2(0, 10), os.dup2(1, 11)
LIBC = ctypes.CDLL(None, use_errno=True)
server = confine_server(named(sys.argv[1]), [Path(path) for path in sys.argv[3:]], Path(sys.argv[2]))

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "call")

def call(number, *arguments):
    check(LIBC.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)))

def candidate(source, cpu_s, keep):
    def say(text):
        os.write(keep, str(text).encode())
    try:
        confine_child(server, keep, cpu_s)
        exec(source, globals() | {"say": say, "keep": keep})
    except BaseException as error:
        say(f"{type(error).__name__} {getattr(error, 'errno', None)}")
    finally:
        os._exit(0)

for line in os.fdopen(10):
    job = json.loads(line)
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        candidate(job["source"], job["cpu_s"], theirs)
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + job["seconds"]
    while select.select([ours], [], [], max(deadline - time.monotonic(), 0))[0]:
        data = os.read(ours, 65536)
        said += data
        if not data:
            break
    exit_code = end_child(server, pid)
    os.close(ours)
    os.write(11, json.dumps([exit_code, said.decode()]).encode() + b"\\n")
"""


@dataclass(frozen=True)
class Ended:
    """How a confined child ended: exit code (negative: the signal), and what it said."""

    exit_code: int
    said: str


class Sandbox:
    """A candidate server in one tier."""

    def __init__(self, tier: Tier, process: "subprocess.Popen[str]", work: Path) -> None:
        self.tier = tier
        self.process = process
        self.work = work

    def run(self, source: str, cpu_s: float = 60, seconds: float = 60) -> Ended:
        """Run ``source`` in a confined child, for ``seconds`` at most."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"source": source, "cpu_s": cpu_s, "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        return Ended(*json.loads(self.process.stdout.readline()))


@contextmanager
def started(tier: Tier, work: Path, readable: Sequence[Path] = ()) -> Iterator[Sandbox]:
    """A server in ``tier`` that is ended on leaving."""
    argv = [sys.executable, "-P", "-S", "-c", SERVER, tier.name, str(work), *map(str, readable)]
    environment = {
        "PYTHONPATH": ":".join(map(str, [PACKAGE.parent, *readable])),
        "TMPDIR": str(work),
        "SECRET": "of the server",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        server_command(tier, argv, readable, work),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=work,
        env=environment,
        start_new_session=True,
    )
    with process:
        try:
            yield Sandbox(tier, process, work)
        finally:
            process.kill()
