"""W&B runs, from files or from a server, made into a study: arms, seeds, links and one frame. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from analysis.errors import AnalysisError
from analysis.history import Columns, Identity, columns_of, tidy
from analysis.sources.naming import RECOGNISED, Naming, field
from analysis.sources.presets import OURS, Preset
from analysis.sources.several import combine_studies
from analysis.sources.study import Chain, History, Link, Study
from analysis.sources.wandb_items import Item, Stitched, stitch_items


class Run(NamedTuple):
    """One W&B run. ``parts`` are its files in the order of their start; a server keeps one."""

    run_id: str
    name: str  # as displayed; empty when nobody gave one
    project: str
    group: str
    job_type: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    status: str  # as `analysis.sources.study.Chain.status`
    links: tuple[Link, ...]
    parts: tuple[Sequence[Item], ...]
    problems: tuple[str, ...] = ()


class _Named(NamedTuple):
    run: Run
    stitched: Stitched
    study: str
    arm: str
    seed: int | None
    grouped: bool  # whether more than its own name says which arm it is
    shared: tuple[str, ...]


def study_of(runs: Sequence[Run], folder_name: str, naming: Naming = RECOGNISED) -> Study:
    """The study of ``runs``, which are in the order of their start; several studies are combined.

    An arm is what ``naming`` or our config calls it, else the run's group, else its name: never a part of a name
    unless ``naming`` has a pattern for it. A group whose runs have several job types has an arm for each.

    Raises:
        AnalysisError: one arm and seed is given twice.
    """
    job_types: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        job_types.setdefault((run.project, run.group), set()).add(run.job_type)
    named = [_named(run, folder_name, len(job_types[run.project, run.group]) > 1, naming) for run in runs]
    by_study: dict[str, list[_Named]] = {}
    for item in named:
        by_study.setdefault(item.study, []).append(item)
    return combine_studies([_study(name, of_study) for name, of_study in sorted(by_study.items())])


def _named(run: Run, folder_name: str, several_types: bool, naming: Naming) -> _Named:
    label = run.name or run.run_id
    stitched = stitch_items(run.parts, f"run {label}", naming)
    ours = stitched.preset is OURS
    given = _given(run, naming)
    arm = given.get("arm") or str((run.config.get("arm") if ours else None) or run.group or label)
    if several_types and run.group and not ours and "arm" not in given:
        arm = f"{arm}/{run.job_type or 'no job type'}"
    study = str((run.config.get("study") if ours else None) or run.project or folder_name)
    seed = int(given["seed"]) if given.get("seed", "").isdecimal() else _seed(run.config, stitched.preset)
    return _Named(run, stitched, study, arm, seed, bool("arm" in given or run.group or ours), naming.shared)


def _given(run: Run, naming: Naming) -> dict[str, str]:
    """The arm and seed that the user's naming finds: in the config, and where it has none in the run's name."""
    match = re.search(naming.run_name, run.name) if naming.run_name else None
    found = {key: value for key, value in (match.groupdict() if match else {}).items() if value}
    for key, dotted in (("arm", naming.arm), ("seed", naming.seed)):
        value = field(run.config, dotted) if dotted else None
        if value is not None:
            found[key] = str(value)
    return found


def _seed(config: Mapping[str, Any], preset: Preset | None) -> int | None:
    for dotted in preset.seeds if preset else ("seed",):
        value = field(config, dotted)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _saved_steps(run: Run, stitched: Stitched) -> tuple[int, ...]:
    """The steps that the config says were saved, up to the last that was logged; nobody has looked for the files."""
    last = max((row.step for row in stitched.rows), default=0)
    for dotted in stitched.preset.saves if stitched.preset else ():
        every = field(run.config, dotted)
        if isinstance(every, int) and not isinstance(every, bool) and every > 0:
            return tuple(range(every, last + 1, every))
    return ()


def _study(name: str, named: Sequence[_Named]) -> Study:
    numbered, problems = _numbered(named)
    problems += _ungrouped(named)
    chains: list[Chain] = []
    histories: list[tuple[Identity, Columns]] = []
    for item, seed in sorted(numbered, key=lambda pair: (pair[0].arm, pair[1])):
        chain = _chain(name, item, seed)
        chains.append(chain)
        rows = item.stitched.rows
        histories.append((chain.identity, columns_of(rows)))
        problems += [*item.run.problems, *item.stitched.problems]
        if not rows:
            problems.append(f"Run {chain.run_id} ({chain.name}) has no row that could be kept.")
    return Study(name, None, tuple(chains), History(tidy(histories), tuple(problems)))


def _chain(study: str, item: _Named, seed: int) -> Chain:
    run = item.run
    target = (run.config.get("chain") or {}).get("steps") if item.stitched.preset is OURS else None
    return Chain(
        study=study,
        arm=item.arm,
        seed=seed,
        run_id=run.run_id,
        status=run.status,
        target_steps=target,
        tier="unknown",
        links=run.links,
        config=run.config,
        group=run.group,
        job_type=run.job_type,
        tags=run.tags,
        reward=item.stitched.preset.reward if item.stitched.preset else "",
        trainer=item.stitched.preset.name if item.stitched.preset else "",
        saved_steps=_saved_steps(run, item.stitched),
        shared=item.shared,
    )


def _numbered(named: Sequence[_Named]) -> tuple[list[tuple[_Named, int]], list[str]]:
    """Every run with its seed; runs of an arm without a seed each of their own are counted instead."""
    numbered: list[tuple[_Named, int]] = []
    problems: list[str] = []
    for arm in dict.fromkeys(item.arm for item in named):
        of_arm = [item for item in named if item.arm == arm]
        seeds = [item.seed for item in of_arm]
        if None not in seeds and len(set(seeds)) == len(seeds):
            numbered += [(item, seed) for item, seed in zip(of_arm, seeds, strict=True) if seed is not None]
            continue
        numbered += [(item, index) for index, item in enumerate(of_arm)]
        counts = Counter("none" if seed is None else str(seed) for seed in seeds)
        said = ", ".join(f"{seed} in {count} run{'s' if count > 1 else ''}" for seed, count in sorted(counts.items()))
        problems.append(
            f"The runs of arm {arm} do not have a seed each in their config ({said}): they are counted from 0 in the "
            "order of their start, and equal seeds of two arms mean nothing."
        )
    return numbered, problems


def _ungrouped(named: Sequence[_Named]) -> list[str]:
    alone = [item.arm for item in named if not item.grouped]
    if not alone:
        return []
    names = ", ".join(sorted(set(alone)))
    return [
        f"{len(alone)} runs name no group, so each is an arm called by its name or id ({names}): "
        "give runs of one arm one group with WANDB_RUN_GROUP, or say where the arm stands with --naming FILE."
    ]


def check_any(runs: Sequence[Run], source: str, problems: Sequence[str]) -> None:
    """Raises AnalysisError, with the first problem, when nothing could be read."""
    if not runs:
        raise AnalysisError(problems[0] if problems else f"{source} holds no W&B run: give another SOURCE.")
