"""``python -m analysis.report SOURCE… --out DIR``: the report of a study, from what its folder holds."""

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from analysis import figures
from analysis.csvs import write_csvs
from analysis.errors import AnalysisError
from analysis.findings import Findings, find
from analysis.foreign import unknown_reward
from analysis.plots import drawings
from analysis.progress import begun
from analysis.render import pages
from analysis.sources import newest_study, open_sources
from analysis.sources.naming import RECOGNISED, load

INTERRUPTED = 130  # exit code


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report and return the exit code: 2, with one sentence, when there is nothing to report on."""
    arguments = _arguments(argv)
    try:
        sources = arguments.source or [newest_study()]
        naming = load(Path(arguments.naming)) if arguments.naming else RECOGNISED
        study = begun(open_sources(sources, naming))
        out = Path(arguments.out) if arguments.out else _default_out(sources)
        findings = find(study)
        write(findings, out, sources, _options(arguments))
    except AnalysisError as error:
        print(f"analysis.report: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("analysis.report: interrupted, and no report was written; type the same command again.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"analysis.report: {error}: name a folder that can be written with --out DIR.", file=sys.stderr)
        return 2
    print("\n".join(said(findings)))
    if findings.problems:
        count = len(findings.problems)
        print(f"{count} problem{'s were' if count > 1 else ' was'} found: see the end of the report.")
    print(f"Report: {(out / 'report.html').as_posix()}")
    return 0


def said(findings: Findings) -> tuple[str, ...]:
    """What a person should read first: the answer, or of runs known from W&B alone what they show."""
    if findings.foreign is None:
        return findings.answer
    unknown = unknown_reward(findings.study)
    return (*findings.foreign.can, *([f"Not known: {unknown[0].lower()}{unknown[1:]}"] if unknown else []))


def write(findings: Findings, out: Path, sources: Sequence[str], options: Sequence[str] = ()) -> None:
    """report.html, report.md, best.json, the csv files and figures/ (svg and png) into ``out``, made when absent.

    ``sources`` and ``options`` are the words of the command that the report says it was made by.
    """
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".writing-") as name:  # so that no report is of two studies
        fresh = Path(name)
        _write(findings, fresh, sources, options)
        for path in sorted(path for path in fresh.rglob("*") if path.is_file()):
            target = out / path.relative_to(fresh)
            target.parent.mkdir(exist_ok=True)
            path.replace(target)


def _write(findings: Findings, out: Path, sources: Sequence[str], options: Sequence[str]) -> None:
    (out / "figures").mkdir()
    svgs: dict[str, str] = {}
    with figures.style(), figures.rendering(drawings(findings)) as drawn:
        write_csvs(findings, out)
        for name, files in drawn:
            (out / "figures" / f"{name}.svg").write_bytes(files.svg)
            (out / "figures" / f"{name}.png").write_bytes(files.png)
            svgs[name] = figures.inline(files.svg, name)
    best = json.dumps(findings.best, indent=2, ensure_ascii=False) + "\n"
    (out / "best.json").write_text(best, encoding="utf-8")
    written = pages(findings, svgs, sources, options)
    (out / "report.html").write_text(written.html, encoding="utf-8")
    (out / "report.md").write_text(written.markdown, encoding="utf-8")


def _options(arguments: argparse.Namespace) -> list[str]:
    return ["--naming", arguments.naming] if arguments.naming else []


def _default_out(sources: Sequence[str]) -> Path:
    if len(sources) > 1:
        raise AnalysisError(f"{len(sources)} sources were given and no folder for their report: add --out DIR.")
    if not Path(sources[0]).is_dir():
        raise AnalysisError(f"{sources[0]} is no folder to put a report in: give a study folder, or add --out DIR.")
    return Path(sources[0]) / "report"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description="Report on a study.")
    sources = "runs/<study> (default: the newest study under runs/), a folder with W&B runs, or wandb:ENTITY/PROJECT"
    parser.add_argument("source", nargs="*", metavar="SOURCE", help=sources)
    parser.add_argument("--out", metavar="DIR", help="folder for the report (default: <study folder>/report)")
    parser.add_argument("--naming", metavar="FILE", help="YAML that names step, reward, shared, arm, seed of W&B runs")
    return parser.parse_args(argv)


if __name__ == "__main__":
    gc.freeze()  # the collector, here and in forked processes, need not look again at what the imports made
    sys.exit(main())
