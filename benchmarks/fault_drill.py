"""The fault drill: a chain under SIGKILLs at random instants, and other faults; each time it must end as it would have.

One chain is trained uninterrupted as the reference. Another is killed, with its whole process group, at least 25 times
and at least three times in each phase of a step: the training process is frozen at a random instant, py-spy reads from
outside where it stands, and only if that is a phase that is still wanted the group is killed. The faults of
``injections.py`` follow, each with a short chain of its own. What was done is kept under ``--work``, so that an
interrupted drill goes on; the table goes to ``--out``.
"""

import argparse
import json
import random
import statistics
from collections import Counter
from pathlib import Path

import drilling
import injections
from drilling import PHASES, ROOT

STEPS, SHORT = 320, 6  # of the killed chain and the reference (a link makes a dozen before it is killed), of the others
EVERY = 2  # steps between full states, and between candidates
TABLE = ("fault", "times", "phase", "outcome")


def arguments(model: str | None) -> list[str]:
    """The configuration of every chain: the tiny model with small batches."""
    path = [f"model.path={model}"] if model else []
    small = ["grpo.train_batch_size=16", "tasks.validation=6", "tasks.test=6", f"chain.save_every={EVERY}"]
    return ["reward=shaped", *path, *small, f"chain.resume_every={EVERY}"]


def train(work: Path, study: str, typed: list[str]) -> Path:
    """Trains a chain to its end, in as many links as it takes no fault; returns its folder."""
    process = drilling.start(work, [*typed, f"study={study}"])
    if process.wait():
        raise SystemExit(f"the chain of {study} ended with code {process.returncode}; see {work / 'printed'}")
    return work / "runs" / study / "shaped-s0"


def killed(work: Path, typed: list[str], seed: int, kills: int, each: int) -> Path:
    """Trains the chain that is killed, ``kills`` times or more, ``each`` times in every phase; see ``kills.jsonl``."""
    chain, log = work / "runs" / "killed" / "shaped-s0", work / "kills.jsonl"
    done = [json.loads(line)["phase"] for line in log.read_text().splitlines()] if log.exists() else []
    while wanted := _wanted(done, random.Random(seed + len(done)), kills, each):
        process = drilling.start(work, [*typed, "study=killed"])
        found = drilling.kill_in(wanted, process, chain, random.Random(seed + len(done)))
        if found is None:
            raise SystemExit(f"the chain ended after {len(done)} kills; see {work / 'printed'}")
        done.append(found)
        with log.open("a") as file:
            file.write(json.dumps({"wanted": wanted, "phase": found}) + "\n")
        print(f"kill {len(done)}: wanted {wanted}, landed in {found}", flush=True)
    return train(work, "killed", typed)


def _wanted(done: list[str], chance: random.Random, kills: int, each: int) -> str | None:
    counts = Counter(done)
    lacking = [phase for phase in PHASES if counts[phase] < each]
    if lacking:
        return chance.choice(lacking)
    return "any" if len(done) < kills else None


def kill_rows(work: Path, chain: Path, reference: Path) -> list[tuple[str, ...]]:
    """The table's rows about kills, by phase."""
    counts = Counter(json.loads(line)["phase"] for line in (work / "kills.jsonl").read_text().splitlines())
    different = drilling.differences(chain, reference, STEPS)
    outcome = f"{len(different)} values differ, first {different[0]}" if different else "equal to the last bit"
    return [("SIGKILL to the process group", str(count), phase, outcome) for phase, count in sorted(counts.items())]


def report(rows: list[tuple[str, ...]], chain: Path) -> str:
    """The page of the docs."""
    seconds = drilling.startups(chain)
    lines = [
        "# Faults that were injected",
        "",
        f"Made by `python benchmarks/fault_drill.py`: a chain of {STEPS} steps of the tiny model (16 completions a "
        f"step, a full state and a candidate every {EVERY} steps), and chains of {SHORT} or {injections.LONG} steps. "
        '"Equal" means the weights of every candidate, the stitched history (all but `time/ system/ chain/`) and the '
        "stored rollouts equal those of one uninterrupted chain to the last bit, on a CPU.",
        "",
        f"| {' | '.join(TABLE)} |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"After a kill at most {drilling.repeated(chain)} steps were made again (a state every {EVERY}); from the "
        f"supervisor's start to the first step it took {statistics.median(seconds):.0f} s (median of {len(seconds)} "
        f"links, longest {max(seconds):.0f} s: the drill freezes a link again and again while it waits for a phase).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/fault-drill"), help="kept, so that a drill goes on")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "faults.md")
    parser.add_argument("--model", help="folder of a base model (default: the tiny one, made first)")
    parser.add_argument("--kills", type=int, default=25, help="at least, over the chain")
    parser.add_argument("--each", type=int, default=3, help="kills at least in each phase")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    typed = arguments(options.model)
    reference = train(work, "reference", [*typed, f"chain.steps={STEPS}"])
    chain = killed(work, [*typed, f"chain.steps={STEPS}"], options.seed, options.kills, options.each)
    rows = kill_rows(work, chain, reference)
    for row in rows:
        print(" | ".join(row), flush=True)
    for fault in injections.FAULTS:
        drill = injections.Drill(work, fault.__name__, [*typed, f"chain.steps={SHORT}"], reference, SHORT)
        rows.append(drill.row(fault))
        print(" | ".join(rows[-1]), flush=True)
    options.out.write_text(report(rows, chain))


if __name__ == "__main__":
    main()
