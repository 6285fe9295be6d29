"""``python -m ablation.repeat FOLDER [KEY=VALUE …]``: a recorded chain trained again, in a study of its own.

FOLDER is a published model or a chain's own folder. Says first what differs between then and now, and last whether
the same history came out. ``plan=true`` says only what differs and what it will take.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ablation.cluster.command import without_training
from ablation.composing import report_config_errors
from ablation.config import Config, ConfigError
from ablation.provenance import package_versions, provenance, same_code
from ablation.repeating.data import audit_now, data_now, prompts_now, same_base, same_tasks
from ablation.repeating.differing import Now, differences, expectation, told
from ablation.repeating.histories import chain_history, comparison, recorded_history
from ablation.repeating.overriding import repeated
from ablation.repeating.recorded import Recorded, read_recorded
from ablation.scoring.sandbox import tier_name
from ablation.sweep import FAILED, results_table
from ablation.training.base_model import ensure_base_model
from ablation.training.chain import chain_dir
from ablation.training.supervisor import run_chain


def run(folder: str, typed: Sequence[str]) -> int:
    """Repeats the chain that ``folder`` records; returns the exit code.

    Raises ConfigError for what is no record of a chain, for a key that would make another chain, and where the
    recorded tasks or base model cannot be had.
    """
    recorded = read_recorded(folder)
    config = repeated(recorded, typed)
    if chain_dir(config).resolve() == recorded.logs.resolve():
        raise ConfigError(f"study={config.study} is the recorded chain itself; choose another study=….")
    _say(*_differences(recorded, config))
    tasks, base = same_tasks(recorded, config), same_base(recorded, config)
    _say(data_now(recorded, tasks, base), audit_now(recorded, tasks))
    if not config.plan:
        ensure_base_model(config)
    if not config.plan or Path(base).is_dir():
        _say(prompts_now(recorded, config))
    command = f"python -m ablation.repeat {shlex.join([folder, *typed])}"
    said = without_training([config], command)
    if said is not None:
        _say(said)
        if not config.plan:
            _say("When the chain is complete, the same command with cluster=local compares the histories.")
        return 0
    result = run_chain(config, command)
    _say(results_table([result]))
    if not result.ok:
        return FAILED
    _say(comparison(recorded_history(recorded), chain_history(chain_dir(config))))
    return 0


def _differences(recorded: Recorded, config: Config) -> list[str]:
    """What is said before anything starts, but of the data."""
    record = recorded.record
    lines = [
        f"{recorded.typed} records {record.arm}-s{record.seed} of the study {record.study}, repeated as "
        f"{chain_dir(config)}."
    ]
    if recorded.assumed:
        shown = ", ".join(recorded.assumed[:5]) + (", …" if len(recorded.assumed) > 5 else "")
        lines.append(f"Its configuration lacks {len(recorded.assumed)} keys, which have their defaults: {shown}.")
    commits = {(link.provenance.get("code") or {}).get("commit") or "" for link in record.links}
    now = Now(provenance(), package_versions(), tier_name(config), same_code(commits))
    found = differences(recorded, config, now)
    gpus = any(link.provenance.get("gpus") for link in record.links) or bool(now.provenance.gpus)
    lines += [*told(found), *_where_diffs_are(recorded, now), expectation(found, gpus=gpus)]
    return lines


def _where_diffs_are(recorded: Recorded, now: Now) -> list[str]:
    hashes = (link.provenance.get("code", {}).get("diff_sha256") for link in recorded.record.links)
    return [
        f"The uncommitted changes {sha256[:12]} are in {path}: `git apply` takes it at the recorded commit."
        if (path := recorded.diff_of(sha256))
        else f"The uncommitted changes {sha256[:12]} were not kept."
        for sha256 in dict.fromkeys(hashes)
        if sha256 and sha256 != now.provenance.code.diff_sha256
    ]


def _say(*lines: str) -> None:
    for line in filter(None, lines):
        print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Exits by how it went: 2, with one sentence, for what cannot be repeated."""
    parser = argparse.ArgumentParser(prog="python -m ablation.repeat", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", metavar="FOLDER", help="a published model, or runs/STUDY/ARM-sSEED")
    parser.add_argument(
        "overrides",
        metavar="KEY=VALUE",
        nargs="*",
        help="study, runs_dir, chain.steps, plan=true, cluster=slurm and other keys that do not make another arm",
    )
    arguments = parser.parse_args(argv)
    with report_config_errors():
        sys.exit(run(arguments.folder, arguments.overrides))


if __name__ == "__main__":
    main()
