"""``python -m analysis.sync DIR…``: offline W&B runs uploaded, one run for a chain, nothing twice."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from analysis.errors import AnalysisError
from analysis.sync.logs import Log, alive, find_logs, look_through
from analysis.sync.server import Server
from analysis.sync.upload import Outcome, Upload, upload

HEADER = ("run", "links", "rows", "mended", "outcome")


def main(argv: Sequence[str] | None = None) -> int:
    """Uploads what was not; returns 0 when all is on the server, 1 when something is not, 2 when nothing was found."""
    arguments = _arguments(argv)
    os.environ.pop("WANDB_MODE", None)  # which clusters set to offline
    folders = [Path(folder) for folder in arguments.folders]
    absent = [folder for folder in folders if not folder.is_dir()]
    paths = list(find_logs(folders))
    if absent or not paths:
        which = ", ".join(map(str, absent or folders))
        print(
            f"analysis.sync: {which} {'is no folder' if absent else 'holds no W&B run'} where runs/STUDY, a chain's "
            "folder or one with wandb/offline-run-* is expected: give another DIR.",
            file=sys.stderr,
        )
        return 2
    logs, unread = _look_through(paths)
    runs = _by_run(logs, arguments)
    outcomes = [*_upload_all(runs), *unread]
    for line in _table(outcomes):
        print(line)
    missing = [outcome for outcome in outcomes if not outcome.done]
    if missing:
        print(f"{len(missing)} of {len(outcomes)} are not uploaded; what is will not be sent again.", file=sys.stderr)
    return 1 if missing else 0


def _look_through(paths: Sequence[Path]) -> tuple[list[Log], list[Outcome]]:
    logs, unread = [], []
    for path in tqdm(paths, desc="read", unit="file", disable=None):
        try:
            logs.append(look_through(path))
        except (AnalysisError, OSError) as error:
            unread.append(Outcome(path.name, 1, 0, "", False, str(error)))
    return logs, unread


def _by_run(logs: Sequence[Log], arguments: argparse.Namespace) -> list[Upload]:
    grouped: dict[tuple[str, str, str], list[Log]] = {}
    for log in logs:
        grouped.setdefault((log.run.entity, log.run.project, log.run.run_id), []).append(log)
    return [Upload(of_run, project=arguments.project, entity=arguments.entity) for of_run in grouped.values()]


def _upload_all(runs: Sequence[Upload]) -> list[Outcome]:
    """Every run in turn; the server is asked only when one needs it, and no more when it cannot be used."""
    import wandb

    url = str(wandb.setup().settings.base_url)
    server: Server | None = None
    down = ""
    outcomes = []
    with tqdm(total=sum(run.rows for run in runs), desc="upload", unit="row", disable=None) as progress:
        for run in runs:
            progress.set_postfix_str(run.run_id)
            try:
                if run.is_done(url):
                    outcomes.append(run.outcome(True, "was uploaded before"))
                elif why := alive(run.logs):
                    outcomes.append(run.outcome(False, f"left alone: {why}; type the command again when it has ended"))
                elif down:
                    outcomes.append(run.outcome(False, down))
                else:
                    server = server or Server()
                    outcomes.append(upload(run, server))
            except (AnalysisError, OSError) as error:
                down = str(error) if server is None else ""
                outcomes.append(run.outcome(False, str(error)))
            progress.update(run.rows)
    return outcomes


def _table(outcomes: Sequence[Outcome]) -> list[str]:
    rows = [(o.run, str(o.links), str(o.rows), o.mended or "-", o.told) for o in outcomes]
    widths = [max(len(row[i]) for row in (HEADER, *rows)) for i in range(len(HEADER) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in (HEADER, *rows)
    ]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.sync", description="Upload offline W&B runs, once.")
    parser.add_argument("folders", nargs="+", metavar="DIR", help="runs/STUDY, a chain's folder, or any with W&B runs")
    parser.add_argument("--project", help="on the server (default: that of each run)")
    parser.add_argument("--entity", help="on the server (default: that of each run, or your own)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
