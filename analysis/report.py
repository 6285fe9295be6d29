"""``python -m analysis.report SOURCE… --out DIR``: the report of a study, from what its folder holds."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis import figures
from analysis.errors import AnalysisError
from analysis.findings import Findings, find
from analysis.plots import draw
from analysis.progress import begun
from analysis.render import page
from analysis.sources import open_sources
from analysis.sources.run_folder import newest_study
from analysis.sources.study import Study


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report and return the exit code: 2, with one sentence, when there is nothing to report on."""
    arguments = _arguments(argv)
    try:
        sources = arguments.source or [newest_study()]
        study = _in_folders(begun(open_sources(sources)), sources)
        out = Path(arguments.out) if arguments.out else _default_out(sources)
        findings = find(study)
        write(findings, out, sources)
    except AnalysisError as error:
        print(f"analysis.report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"analysis.report: {error}: name a folder that can be written with --out DIR.", file=sys.stderr)
        return 2
    print("\n".join(findings.answer))
    if findings.problems:
        print(f"{len(findings.problems)} problems found: see the end of the report.")
    print(f"Report: {(out / 'report.html').as_posix()}")
    return 0


def write(findings: Findings, out: Path, sources: Sequence[str]) -> None:
    """report.html, best.json, four csv files and figures/ (svg and png) into ``out``, made when absent."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    svgs: dict[str, str] = {}
    with figures.style():
        for name, figure in draw(findings).items():
            rendered = figures.render(figure)
            (out / "figures" / f"{name}.svg").write_bytes(rendered.svg)
            (out / "figures" / f"{name}.png").write_bytes(rendered.png)
            svgs[name] = figures.inline(rendered.svg, name)
    findings.study.history.frame.to_csv(out / "history.csv", index=False)
    findings.picks_table.to_csv(out / "picks.csv", index=False)
    findings.held_out.to_csv(out / "held_out.csv", index=False)
    findings.comparison.to_csv(out / "comparison.csv", index=False)
    best = json.dumps(findings.best, indent=2, ensure_ascii=False) + "\n"
    (out / "best.json").write_text(best, encoding="utf-8")
    (out / "report.html").write_text(page(findings, svgs, sources), encoding="utf-8")


def _in_folders(study: Study, sources: Sequence[str]) -> Study:
    """The study itself; raises AnalysisError when a chain of it has no checkpoints to pick from and to evaluate."""
    apart = [chain for chain in study.chains if chain.folder is None]
    if not apart:
        return study
    names = ", ".join(chain.name for chain in apart[:6]) + (", …" if len(apart) > 6 else "")
    raise AnalysisError(
        f"{len(apart)} of {len(study.chains)} chains ({names}) are known from "
        "W&B alone, where study folders are expected: their training rewards are on scales of their own, and without "
        "held-out scores nothing can be concluded about which arm is better; for their curves type "
        f"`python -m analysis.pull {shlex.join(sources)} --out history.parquet`."
    )


def _default_out(sources: Sequence[str]) -> Path:
    if len(sources) > 1:
        raise AnalysisError(f"{len(sources)} sources were given and no folder for their report: add --out DIR.")
    if not Path(sources[0]).is_dir():
        raise AnalysisError(f"{sources[0]} is no folder to put a report in: give a study folder, or add --out DIR.")
    return Path(sources[0]) / "report"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description="Report on a study.")
    parser.add_argument(
        "source", nargs="*", metavar="SOURCE", help="runs/<study> (default: the newest study under runs/)"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for the report (default: <study folder>/report)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
