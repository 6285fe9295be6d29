"""Resource limits of one candidate. They hold in every tier and are inherited by its threads and files."""

import resource
import sys

MEMORY_BYTES = 1 << 30  # address space; it also bounds the threads, whose stacks lie in it
FILE_BYTES = 16 << 20  # size of one file; how many there are is for the evaluator to look at
OPEN_FILES = 64
CPU_MARGIN_S = 1  # beyond the deadline, which is of wall time


def limit_server() -> int:
    """Set the limits that forks inherit; the most that a fork may set for CPU time. Raises OSError, ValueError."""
    for kind, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        value = min(value, _highest(kind))
        resource.setrlimit(kind, (value, value))
    return _highest(resource.RLIMIT_CPU)


def limit_cpu(cpu_s: float, highest: int) -> None:
    """SIGXCPU one to two seconds after ``cpu_s`` of CPU time, SIGKILL a second later. Raises OSError, ValueError."""
    hard = min(int(cpu_s) + CPU_MARGIN_S + 2, highest)
    resource.setrlimit(resource.RLIMIT_CPU, (hard - 1, hard))


def _highest(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard
