"""The evaluator's side of the candidate server: a child for each candidate, and its end."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from ablation.scoring.containment.bubblewrap import server_command
from ablation.scoring.containment.tiers import Tier
from ablation.scoring.environment import World, environment, program
from ablation.scoring.frames import READY, read_body

ANSWER_S = 20.0  # for the server to fork or to end a child, on a busy machine
START_S = 60.0  # for the server to start and confine itself, on a busy network file system


class HostError(RuntimeError):
    """The candidate server does not do its work: no fault of a candidate."""


class Child(NamedTuple):
    """A process that waits for a candidate, or runs one."""

    pid: int  # in the server's table of processes
    line: socket.socket


class Host:
    """A candidate server. Where children cannot be confused, the next one is made ready while one is in use."""

    def __init__(
        self,
        tier: Tier,
        work: Path,
        readable: Sequence[Path] = (),
        packages: Sequence[str] = (),
        world: World = World(),  # noqa: B008  # immutable
    ) -> None:
        settings = {
            "tier": tier.name,
            "work": str(work),
            "readable": [str(path) for path in readable],
            "packages": list(packages),
        }
        argv = [sys.executable, "-P", "-S", "-W", "ignore", "-m", *program("ablation.scoring.candidate.server", world)]
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                server_command(tier, [*argv, json.dumps(settings)], readable, work),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=work,
                start_new_session=True,
                env=environment(world) | {"LD_BIND_NOW": "1"},  # binding a symbol later costs each fork a page
            )
        self._ahead = tier.seccomp
        self._asked: socket.socket | None = None  # the line of a child that the server was asked for
        self._spare: Child | None = None
        self._await(START_S)

    def open(self) -> Child:
        """A child for one candidate. Raises HostError."""
        if self._spare is None and self._asked is None:
            self._ask()
        self._receive()
        child, self._spare = self._spare, None
        assert child is not None
        if not select.select([child.line], [], [], ANSWER_S)[0]:
            raise HostError(f"a child of the candidate server was not confined within {ANSWER_S:.0f} s")
        said = read_body(child.line.fileno())
        if said != READY:
            raise HostError((said or b"a child of the candidate server ended at once").decode(errors="replace"))
        if self._ahead:
            self._ask()
        return child

    def end(self, child: Child) -> int:
        """End the child; its exit code, negative for the signal that ended it. Raises HostError."""
        child.line.close()
        self._control.send(f"end {child.pid}".encode())
        self._receive()  # answers come in the order of requests
        return self._await(ANSWER_S)

    def close(self) -> None:
        """End the server with all its children."""
        self._control.close()
        for line in (self._asked, self._spare and self._spare.line):
            if line is not None:
                line.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(PermissionError):  # to a confined process it is out of reach, not to the pool
                self._process.kill()
                self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self) -> None:
        self._asked, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"fork"], [theirs.fileno()])

    def _receive(self) -> None:
        """Wait for the child that was asked for, if one was."""
        if self._asked is not None:
            self._spare, self._asked = Child(self._await(ANSWER_S), self._asked), None

    def _await(self, patience_s: float) -> int:
        if not select.select([self._control], [], [], patience_s)[0]:
            raise HostError(f"the candidate server did not answer within {patience_s:.0f} s")
        answer = self._control.recv(64)
        if not answer:
            assert self._process.stderr is not None
            os.set_blocking(self._process.stderr.fileno(), False)
            said = (self._process.stderr.read() or b"").decode(errors="replace").strip().splitlines()
            raise HostError(f"the candidate server ended: {said[-1] if said else 'it said nothing'}")
        return int(answer)
