"""How long an audit takes: 5,000 made-up tasks, functions and classes with six tests each, ten repeats.

Prints seconds and tasks a second, and what 5,000 take at that rate. The seconds of processors beside them say what the
audit itself took, on a machine that does other things as well. ``--tasks`` takes a smaller set; the start of the
workers, some seconds a world, weighs more there.
"""

import argparse
import os
import time

from audit_set.auditing import audited
from audit_set.good import good_tasks

TARGET, TARGET_S = 5000, 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=TARGET)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    tasks = good_tasks(arguments.tasks)
    started, before = time.monotonic(), os.times()
    audits = audited(tasks, arguments.repeats)
    seconds, after = time.monotonic() - started, os.times()
    used = sum(after[:4]) - sum(before[:4])
    accepted = sum(audit.accepted for audit in audits)
    print(
        f"{len(tasks):,} tasks, {arguments.repeats} repeats: {seconds:.1f} s, {len(tasks) / seconds:.1f} tasks a second"
    )
    print(f"{TARGET:,} tasks at this rate: {TARGET * seconds / len(tasks):.0f} s (target {TARGET_S} s)")
    each = used / len(tasks)
    print(f"{used:.1f} s of processors, {1000 * each:.0f} ms a task")
    print(f"{TARGET:,} tasks on two free cores: {TARGET * each / 2:.0f} s")
    print(f"{accepted:,} of {len(tasks):,} accepted")


if __name__ == "__main__":
    main()
