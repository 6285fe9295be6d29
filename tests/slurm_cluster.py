"""A real Slurm on this machine, from Debian's packages: munged, MariaDB, slurmdbd, slurmctld and slurmd.

Everything lies in one folder and listens on free ports of the loopback; the system's own services and files are
not touched. Needs root, because slurmd does.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PROGRAMS = (
    "setpriv",
    "munged",
    "mariadbd",
    "mariadb-install-db",
    "slurmdbd",
    "slurmctld",
    "slurmd",
    "sbatch",
    "sacctmgr",
)
PACKAGES = "slurm-wlm slurmdbd munge mariadb-server"
ACCOUNT = "lab"
PARTITION = "debug"
_PORTS = ("ctld", "d", "dbd", "database")
_START_S = 60.0

# One job step at a time: the two cores of a small machine are one node's, and a job takes both.
_SLURM_CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
CryptoType=crypto/munge
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/d
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ctld}
SlurmdPort={d}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,defer
ReturnToService=2
JobRequeue=1
KillWait={kill_wait}
OverTimeLimit=0
CompleteWait=0
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={munge}
AccountingStorageEnforce=associations,limits
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory={memory} State=UNKNOWN
PartitionName={partition} Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=EXCLUSIVE
"""
_SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={munge}
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser=root
PidFile={folder}/dbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
"""


def missing() -> str:
    """Returns why no Slurm can run here, empty when one can."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian's packages {PACKAGES})"
    return "" if os.geteuid() == 0 else "slurmd has to be started by root"


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class SlurmCluster:
    """Slurm's daemons, from ``start`` to ``stop``; ``environment`` is what its commands need."""

    def __init__(self, folder: Path, *, kill_wait_s: int = 10) -> None:
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
        self._daemons: list[subprocess.Popen] = []
        self._words = {
            "host": socket.gethostname().split(".")[0],
            "folder": str(folder),
            "munge": str(folder / "munge.sock"),
            "memory": str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 9 // 10),
            "partition": PARTITION,
            "kill_wait": str(kill_wait_s),
            **dict(zip(_PORTS, map(str, _free_ports(len(_PORTS))), strict=True)),
        }

    def run(self, *command: str, check: bool = True) -> str:
        """Returns what one of Slurm's commands prints."""
        ended = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60, check=False
        )
        if check and ended.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr}")
        return ended.stdout.strip()

    def states(self, jobs: Sequence[str]) -> dict[str, str]:
        """Returns the accounted state of each job, as COMPLETED, FAILED, TIMEOUT, "CANCELLED by 0"."""
        lines = self.run("sacct", "-X", "-n", "-P", "-o", "JobIDRaw,State", "-j", ",".join(jobs)).splitlines()
        return dict(line.split("|") for line in lines)

    def final_states(self, jobs: Sequence[str]) -> dict[str, str]:
        """Returns the states of jobs that have left the queue; the accounts hear of an end a little later."""
        states: dict[str, str] = {}

        def accounted() -> bool:
            states.update(self.states(jobs))
            return all(states.get(job) not in (None, "PENDING", "RUNNING") for job in jobs)

        _wait("the accounting of ended jobs", accounted)
        return states

    def start(self) -> None:
        # munged wants a path that nobody else can write to.
        self.folder.chmod(0o755)
        for name in ("ctld", "d", "data"):
            (self.folder / name).mkdir()
        self._write("slurm.conf", _SLURM_CONF, 0o644)
        self._write("slurmdbd.conf", _SLURMDBD_CONF, 0o600)
        (self.folder / "munge.key").write_bytes(os.urandom(64))
        (self.folder / "munge.key").chmod(0o600)
        self._start_munged()
        self._start_database()
        self._daemon("slurmdbd", "-D")
        _wait("slurmdbd", lambda: self._answers("sacctmgr", "-n", "show", "cluster"))
        for entity in ("cluster lab", f"account {ACCOUNT}", f"user root account={ACCOUNT}"):
            self.run("sacctmgr", "-i", "add", *entity.split())
        self._daemon("slurmctld", "-D")
        self._daemon("slurmd", "-D")
        _wait("slurmd", lambda: self.run("sinfo", "-h", "-o", "%T", check=False) == "idle")

    def stop(self) -> None:
        """Ends all jobs, then the daemons in the opposite order of their start."""
        with contextlib.suppress(Exception):
            self.run("scancel", "--user=root", check=False)
            _wait("the end of all jobs", lambda: not self.run("squeue", "-h", check=False), seconds=20)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _start_munged(self) -> None:
        names = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munge.pid", "log-file": "munged.log"}
        options = [f"--{option}={self.folder / name}" for option, name in names.items()]
        self._daemon("munged", "--foreground", f"--seed-file={self.folder / 'munge.seed'}", *options)
        _wait("munged", (self.folder / "munge.sock").exists)

    def _start_database(self) -> None:
        data = self.folder / "data"
        self.run(
            *("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db"),
            *("--auth-root-authentication-method=socket", "--innodb-log-file-size=8M"),
        )
        setup = self.folder / "setup.sql"
        setup.write_text(
            "CREATE DATABASE slurm_acct; CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm';"
            "GRANT ALL ON slurm_acct.* TO slurm@'127.0.0.1';\n".replace("; ", ";\n").replace(";G", ";\nG")
        )
        self._daemon(
            *("mariadbd", "--no-defaults", f"--datadir={data}", "--user=root", f"--init-file={setup}"),
            *("--bind-address=127.0.0.1", f"--port={self._words['database']}", f"--socket={self.folder / 'sql.sock'}"),
            *("--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=900"),
            f"--pid-file={self.folder / 'sql.pid'}",
        )
        _wait("MariaDB", lambda: _listens(int(self._words["database"])))

    def _daemon(self, program: str, *options: str) -> None:
        with (self.folder / f"{program}.out").open("w") as output:
            daemon = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", program, *options],  # it ends with this process, however that ends
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C on the tests must not end it before its jobs
            )
        self._daemons.append(daemon)

    def _answers(self, *command: str) -> bool:
        with contextlib.suppress(RuntimeError):
            self.run(*command)
            return True
        return False

    def _write(self, name: str, template: str, mode: int) -> None:
        path = self.folder / name
        path.write_text(template.format(**self._words))
        path.chmod(mode)


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[SlurmCluster]:
    """Yields a cluster whose daemons are gone afterwards, whatever happens."""
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _wait(what: str, condition: Callable[[], bool], seconds: float = _START_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not answer within {seconds:.0f} s; see the logs beside slurm.conf")
        time.sleep(0.05)
