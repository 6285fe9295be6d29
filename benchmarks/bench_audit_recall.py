"""What an audit finds: tasks with one planted fault each, of every kind, among good and varied ones.

Prints for each kind how many were planted, found and missed, and on how many good tasks it was reported. A good task
may carry a warning; a rejecting finding on it is a false alarm. Exits 1 when a fault is missed, or more than one good
task in a hundred is rejected.

``--set first`` is what the audit was developed with; ``mended`` and ``held_out`` are the halves of a second set, which
was written without a look at the audit: with ``mended`` it was improved, ``held_out`` was kept from it.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from audit_set import good, planted
from audit_set.auditing import audited
from audit_set.unseen import good as unseen_good
from audit_set.unseen import planted as unseen_planted

from ablation.tasks.audit.findings import REJECTING, WARNING, Audit

FALSE_ALARMS = 0.01  # of the good tasks, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("first", "mended", "held_out"), default="first")
    parser.add_argument("--good", type=int, default=2000)
    parser.add_argument("--of-each", type=int, default=20, help="planted tasks of each kind")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.set == "first":
        tasks = good.good_tasks(arguments.good, arguments.seed)
        spoilt, kinds = planted.planted_tasks(arguments.of_each, arguments.seed + 1)
    else:
        held_out = arguments.set == "held_out"
        tasks = unseen_good.good_tasks(arguments.good, arguments.seed, held_out)
        spoilt, kinds = unseen_planted.planted_tasks(arguments.of_each, arguments.seed + 1, held_out)
    started = time.monotonic()
    audits = audited([*tasks, *spoilt], arguments.repeats)
    seconds = time.monotonic() - started
    print(
        f"{len(audits):,} tasks in {seconds:.0f} s, {arguments.repeats} repeats, "
        f"set {arguments.set}, seed {arguments.seed}"
    )
    missed, rejected = table(audits, kinds)
    sys.exit(bool(missed) or rejected > FALSE_ALARMS * arguments.good)


def table(audits: Sequence[Audit], kinds: dict[str, str]) -> tuple[int, int]:
    """Print it; how many faults were missed, and how many good tasks rejected."""
    found: dict[str, set[str]] = {audit.task_id: {finding.kind for finding in audit.findings} for audit in audits}
    good = [audit for audit in audits if audit.task_id.startswith("good-")]
    on_good = Counter(kind for audit in good for kind in found[audit.task_id])
    missed = defaultdict[str, list[str]](list)
    for task_id, kind in kinds.items():
        if kind not in found[task_id]:
            missed[kind].append(f"{task_id} ({', '.join(sorted(found[task_id])) or 'nothing found'})")
    print(f"{'kind':<20} {'effect':<8} {'planted':>7} {'found':>6} {'missed':>7} {'on good tasks':>14}")
    for kind in (*REJECTING, *WARNING):
        count = Counter(kinds.values())[kind]
        effect = "rejects" if kind in REJECTING else "warns"
        row = f"{kind:<20} {effect:<8} {count:>7} {count - len(missed[kind]):>6} {len(missed[kind]):>7}"
        print(f"{row} {on_good[kind]:>14}")
    rejected = [audit for audit in good if not audit.accepted]
    print(f"{len(rejected)} of {len(good):,} good tasks rejected, {len(rejected) / max(1, len(good)):.2%}")
    for line in [line for lines in missed.values() for line in lines]:
        print(f"missed: {line}")
    for audit in rejected:
        print(f"false alarm: {audit.task_id}: {'; '.join(': '.join(finding) for finding in audit.findings)}")
    return sum(map(len, missed.values())), len(rejected)


if __name__ == "__main__":
    main()
