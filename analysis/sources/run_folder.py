"""The source that training writes: ``runs/<study>/`` with one folder for each chain."""

from pathlib import Path

from analysis.errors import AnalysisError
from analysis.forked import working
from analysis.history import tidy
from analysis.sources.chain_folder import ChainRead, is_chain, read_chain
from analysis.sources.naming import RECOGNISED, Naming
from analysis.sources.study import History, Study

_MANY_CHAINS = 24  # that are read sooner by more than one process


def recognises(source: str) -> bool:
    """Whether ``source`` is a folder with at least one chain's folder in it."""
    folder = Path(source)
    return folder.is_dir() and any(is_chain(child) for child in folder.iterdir() if child.is_dir())


def read(source: str, naming: Naming = RECOGNISED) -> Study:
    """The study in a folder ``source``: chains by arm and seed, stitched history, and what was wrong.

    Its files name arms and metrics themselves, so ``naming`` says nothing here.

    Raises:
        AnalysisError: no chain in it could be read.
    """
    folder = Path(source)
    reads: dict[tuple[str, int], ChainRead] = {}
    problems: list[str] = []
    children = sorted(child for child in folder.iterdir() if child.is_dir() and is_chain(child))
    with working(_read, children, least=_MANY_CHAINS) as results:
        read_or_not = list(results)
    for found in read_or_not:
        if isinstance(found, str):
            problems.append(found)
            continue
        first = reads.setdefault((found.chain.arm, found.chain.seed), found)
        if first is not found:
            problems.append(_twice(first, found))
            continue
        problems.extend(found.problems)
    if not reads:
        raise AnalysisError(problems[0] if problems else no_study(source))
    ordered = [reads[key] for key in sorted(reads)]
    problems.extend(_several_names(ordered))
    frame = tidy((read.chain.identity, read.history) for read in ordered)
    chains = tuple(read.chain for read in ordered)
    return Study(chains[0].study, folder, chains, History(frame, tuple(problems)))


def _read(child: Path) -> ChainRead | str:
    """A chain, or why it cannot be read."""
    try:
        return read_chain(child)
    except (AnalysisError, ValueError) as error:
        return str(error)
    except (TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        what = " ".join(str(error).split())[:200]
        return (
            f"{child.name} was left out, for chain.json or config.yaml holds something else than it should ({what}): "
            "put back the files that `python -m ablation.run` wrote."
        )


def no_study(source: str) -> str:
    """Why ``source`` is no study, and what to type."""
    folder, below = Path(source), Path("runs") / source
    train = "train one with `python -m ablation.run -m reward=binary,shaped`"
    what = f"{source} holds no chain" if folder.is_dir() else f"{source} is no folder"
    advice = f"give runs/<study>, a folder with W&B runs or wandb:ENTITY/PROJECT, or {train}"
    if not folder.exists():
        what = f"{source} does not exist"
        advice = f"type {below.as_posix()}" if recognises(str(below)) else advice
    elif folder.is_dir() and is_chain(folder):
        what, advice = f"{source} is one chain", f"give the study's folder {folder.parent.as_posix()}"
    elif folder.is_dir():
        studies = [path.as_posix() for path in _studies(folder)]
        advice = f"give one of {', '.join(studies)}" if studies else advice
    return f"{what} where a study folder is expected: {advice}."


def _studies(root: Path) -> list[Path]:
    folders = [child for child in sorted(root.iterdir()) if child.is_dir() and not child.name.startswith(".")]
    return [folder for folder in folders if recognises(str(folder))]


def newest_study(*runs_dirs: str) -> str:
    """The study folder whose chains were written to last, under the first of ``runs_dirs`` (runs) that exists.

    Ties go to the last name.

    Raises:
        AnalysisError: no folder there has a chain.
    """
    runs_dir = next((name for name in runs_dirs if Path(name).is_dir()), (*runs_dirs, "runs")[0])
    root = Path(runs_dir)
    studies = _studies(root) if root.is_dir() else []
    if not studies:
        raise AnalysisError(
            f"{runs_dir}/ {'holds no study with a chain' if root.is_dir() else 'does not exist'}: "
            "name a study folder, or train one with "
            "`python -m ablation.run -m reward=binary,shaped`."
        )
    return max(studies, key=lambda study: (_last_written(study), study.name)).as_posix()


def _last_written(study: Path) -> int:
    files = [path for name in ("chain.json", "history.jsonl") for path in study.glob(f"*/{name}")]
    return max(path.stat().st_mtime_ns for path in files)


def _twice(first: ChainRead, second: ChainRead) -> str:
    names = [read.chain.folder.name for read in (first, second) if read.chain.folder]
    return (
        f"{names[-1]} and {names[0]} both say that they are arm {first.chain.arm} seed {first.chain.seed}: "
        f"{names[-1]} was left out; move one of them elsewhere."
    )


def _several_names(reads: list[ChainRead]) -> list[str]:
    names = sorted({read.chain.study for read in reads})
    if len(names) == 1:
        return []
    printed = reads[0].chain.study
    return [f"The chains in this folder name several studies ({', '.join(names)}): {printed} is printed."]
