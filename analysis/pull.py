"""``python -m analysis.pull SOURCE… --out history.parquet``: the stitched tidy history, in one file."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.errors import AnalysisError
from analysis.progress import begun
from analysis.sources import newest_study, open_sources
from analysis.sources.naming import RECOGNISED, load


def main(argv: Sequence[str] | None = None) -> int:
    """Write the history of all sources; return 2, with one sentence, when there is none."""
    arguments = _arguments(argv)
    out = Path(arguments.out)
    try:
        if out.suffix not in (".csv", ".parquet"):
            raise AnalysisError(f"{out} ends in neither .parquet nor .csv: name it history.parquet.")
        naming = load(Path(arguments.naming)) if arguments.naming else RECOGNISED
        study = begun(open_sources(arguments.source or [newest_study()], naming))
        write(study.history.frame, out)
    except AnalysisError as error:
        print(f"analysis.pull: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"analysis.pull: {error}: name a file that can be written with --out FILE.", file=sys.stderr)
        return 2
    for problem in study.history.problems:
        print(problem, file=sys.stderr)
    print(f"{out.as_posix()}: {len(study.history.frame)} values of {len(study.chains)} chains")
    return 0


def write(frame: pd.DataFrame, out: Path) -> None:
    """The tidy frame as .csv or .parquet, with the folder made when absent."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.writing")
    try:
        if out.suffix == ".csv":
            frame.to_csv(fresh, index=False)
        else:
            frame.to_parquet(fresh, index=False)
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.pull", description="Pull stitched histories.")
    sources = "runs/<study> (default: the newest one), a folder with W&B runs, or wandb:ENTITY/PROJECT"
    parser.add_argument("source", nargs="*", metavar="SOURCE", help=sources)
    parser.add_argument("--out", metavar="FILE", default="history.parquet", help=".parquet or .csv")
    parser.add_argument("--naming", metavar="FILE", help="YAML that names step, reward, shared, arm, seed of W&B runs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
