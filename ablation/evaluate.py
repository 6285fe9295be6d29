"""``python -m ablation.evaluate STUDY``: held-out scores of the base, and of every chain's pick, last and a fixed step.

Every subject answers the same tasks with the same sampling seeds, on the validation and on the test split.
The splits are written to folders of their own: what chooses a checkpoint reads ``validation`` alone. Scores
are cached under the hash of everything that they depend on.
"""

import argparse
import contextlib
import hashlib
import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from tqdm import tqdm

from ablation import config as configuration
from ablation.composing import report_config_errors
from ablation.config import Config, ConfigError
from ablation.held_out import SPLITS, Subject, evaluate, is_cached
from ablation.machine import chains_at_once, refuse_without_vllm
from ablation.tasks.load import load_tasks
from ablation.tasks.prompts import PLAIN
from ablation.training.base_model import base_model_path, ensure_base_model
from ablation.training.chain import ChainRecord, read_record
from ablation.training.checkpoints import candidate_dir
from ablation.training.process import LINK_ENVIRONMENT
from analysis.errors import AnalysisError
from analysis.history import series
from analysis.selection import Rule, pick
from analysis.sources import run_folder
from analysis.sources.study import Chain, Study


def subjects_of(study: Study, engine: str = "transformers", step: int | None = None) -> tuple[list[Subject], list[str]]:
    """Returns what to evaluate, and one sentence for every chain that has nothing to evaluate.

    ``step`` takes the place of the fixed step in the chains' configurations, unless it is None.
    """
    subjects: dict[str, Subject] = {}
    problems = []
    for chain in study.chains:
        assert chain.folder is not None
        config = configuration.load(chain.folder / "config.yaml")
        record = read_record(chain.folder)
        config.model.prompt.style = record.prompts.get("style", PLAIN)  # before it was recorded all were plain
        config.evaluation.step = config.evaluation.step if step is None else step
        prompts = record.prompts.get("fingerprint", "")
        base = _base_of(config, record)
        name = _base_name(base, prompts if config.model.prompt.style != PLAIN else "")
        subjects[name] = Subject(name, "base", base, config, prompts=prompts, engine=engine)
        try:
            roles = _roles(study, chain, config)
        except AnalysisError as error:
            problems.append(f"{chain.name} has no checkpoint to evaluate: {error}")
            continue
        if step and step not in roles:
            problems.append(f"{chain.name} has no checkpoint of step {step}: its last is of {max(roles)}.")
        for saved, names in roles.items():
            subject = f"{chain.name}@{saved}"
            folder = str(candidate_dir(chain.folder, saved))
            subjects[subject] = Subject(
                subject, "checkpoint", folder, config, chain.arm, chain.seed, saved, names, prompts, engine
            )
    return list(subjects.values()), problems


def _base_name(base: str, prompts: str) -> str:
    """A base is evaluated once for each way in which chains ask it."""
    return f"base-{hashlib.sha256((Path(base).name + prompts).encode()).hexdigest()[:8]}"


def _base_of(config: Config, record: ChainRecord) -> str:
    """Returns the base model that the chain was really trained from; raises ConfigError when it is gone."""
    base = record.base_model or base_model_path(config)
    if Path(base).is_absolute() and not Path(base).exists():
        made = ensure_base_model(config)
        if Path(made).name != Path(base).name:
            raise ConfigError(f"the base model {base} is gone and this version makes another; put the folder back.")
        base = made
    if record.tasks_fingerprint not in ("", load_tasks(config.tasks).fingerprint):
        raise ConfigError(
            f"{config.study}/{config.chain_name} was trained on the tasks {record.tasks_fingerprint}, but this version "
            "makes others; evaluate with the version that trained it."
        )
    return base


def _roles(study: Study, chain: Chain, config: Config) -> dict[int, tuple[str, ...]]:
    """Returns why each step is evaluated: the pick of the selection rule, the last saved one, one fixed beforehand.

    Raises ConfigError for a fixed step that no candidate is saved at.
    """
    rule = Rule(span=config.selection.span, skip_first=config.selection.skip_first, save_every=config.chain.save_every)
    rewards = series(study.history.frame, chain.arm, chain.seed, rule.metric)
    steps = {"pick": pick(rewards, chain.saved_steps, rule).step, "last": max(chain.saved_steps)}
    fixed = _fixed_step(config)
    if fixed in chain.saved_steps:
        steps["fixed"] = fixed
    return {step: tuple(role for role, of_role in steps.items() if of_role == step) for step in steps.values()}


def _fixed_step(config: Config) -> int:
    """Returns a step that is chosen before any score is seen, 0 for none; a later one than a chain has is skipped."""
    grid, asked = config.chain.save_grid, config.evaluation.step
    if asked is None:
        return grid[(len(grid) - 1) // 2]
    if asked and asked % config.chain.save_every:
        raise ConfigError(
            f"evaluation.step={asked} is not on the save grid of every {config.chain.save_every} steps; type "
            f"--step {max(1, round(asked / config.chain.save_every)) * config.chain.save_every}, or --step 0 for none."
        )
    return asked


def _drop_stale(subjects: list[Subject], folder: Path) -> int:
    """Removes scores of checkpoints that are evaluated for no reason any more; returns how many."""
    names = {subject.name for subject in subjects}
    stale = [path for split in SPLITS for path in (folder / split).glob("*.parquet") if path.stem not in names]
    for path in stale:
        path.unlink()
    return len({path.stem for path in stale})


def summary(subjects: list[Subject], folder: Path) -> str:
    """Returns the table of mean scores by subject and split."""
    lines = [f"{'subject':<28} {'roles':<15} {'split':<11} {'pass ratio':>10} {'solved':>7} {'greedy solved':>14}"]
    for subject in subjects:
        for split in SPLITS:
            frame = pq.read_table(folder / split / f"{subject.name}.parquet").to_pandas()
            means = (
                frame.astype({"pass_ratio": float, "solved": float}).groupby("mode")[["pass_ratio", "solved"]].mean()
            )
            sampled, greedy = means.loc["sampled"], means.loc["greedy"]
            lines.append(
                f"{subject.name:<28} {','.join(subject.roles):<15} {split:<11} {sampled.pass_ratio:>10.3f} "
                f"{sampled.solved:>7.3f} {greedy.solved:>14.3f}"
            )
    return "\n".join(lines)


def _try_evaluate(subject: Subject, folder: Path) -> str:
    """Returns why the subject could not be evaluated, empty if it was: one bad model must not hide the others."""
    try:
        evaluate(subject, folder)
    except Exception as error:
        return f"{subject.name} could not be evaluated ({type(error).__name__}: {' '.join(str(error).split())[:300]})."
    return ""


def run(source: str, jobs: int, engine: str = "transformers", step: int | None = None) -> int:
    """Evaluates what is not cached, ``jobs`` subjects at once, prints the table; returns how many failed."""
    if engine == "vllm":
        refuse_without_vllm("--engine vllm", "leave it out")
        jobs = 1  # the GPU, or all cores, are for one engine
    try:
        study = run_folder.read(_study_folder(source))
    except AnalysisError as error:
        raise ConfigError(str(error)) from error
    assert study.folder is not None
    folder = study.folder / "evaluation"
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder / ".lock", timeout=0))
        except Timeout as error:
            raise ConfigError(f"{folder} is being written by another evaluation; wait for it.") from error
        subjects, problems = subjects_of(study, engine, step)
        for problem in [*study.history.problems, *problems]:
            print(f"warning: {problem}", file=sys.stderr)
        dropped = 0 if study.history.problems else _drop_stale(subjects, folder)
        missing = [subject for subject in subjects if not is_cached(subject, folder)]
        cached = len(subjects) - len(missing)
        print(f"{len(subjects)} models to evaluate, {cached} cached, {dropped} outdated removed.")
        failures = _evaluate_all(missing, folder, jobs)
    print(summary([subject for subject in subjects if is_cached(subject, folder)], folder))
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return len(failures)


def _evaluate_all(subjects: list[Subject], folder: Path, jobs: int) -> list[str]:
    os.environ.update({**os.environ, **LINK_ENVIRONMENT})  # for the worker processes
    calls = (delayed(_try_evaluate)(subject, folder) for subject in subjects)
    results = Parallel(n_jobs=max(1, min(jobs, len(subjects))), return_as="generator_unordered")(calls)
    bar = tqdm(results, total=len(subjects), desc="Evaluating", unit="model", disable=not subjects)
    return [failure for failure in bar if failure]


def _study_folder(source: str) -> str:
    for folder in (Path(source), Path("runs") / source):
        if run_folder.recognises(str(folder)):
            return str(folder)
    known = sorted(path.name for path in Path("runs").glob("*") if run_folder.recognises(str(path)))
    advice = (
        f"type `python -m ablation.evaluate runs/{known[0]}`" if known else "train one with `python -m ablation.run`"
    )
    raise ConfigError(
        f"{source} holds no chain; expected one of {', '.join(known) or 'the folders in runs/'}: {advice}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ablation.evaluate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", help="runs/<study>, or the study's name")
    parser.add_argument("--jobs", type=int, default=chains_at_once(), help="models at once (%(default)s)")
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers", help="(%(default)s)")
    parser.add_argument(
        "--step",
        type=int,
        help="saved step that is evaluated in every chain beside its pick and its last (evaluation.step; half of them)",
    )
    arguments = parser.parse_args()
    with report_config_errors():
        failed = run(arguments.study, arguments.jobs, arguments.engine, arguments.step)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    from ablation.evaluate import main as imported_main  # so that worker processes find `evaluate` by name

    imported_main()
