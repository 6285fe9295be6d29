"""Which commands train, evaluate and report on a study, and with which versions. Pure."""

import shlex
from collections.abc import Sequence

from analysis.sources.naming import field
from analysis.sources.study import Chain, Study

_STEPS = "chain.steps="


def commands(study: Study, sources: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    """Training, evaluation and report (with ``options``), in order; `rebuilt` tells whether a training line was not
    kept."""
    foreign = all(chain.folder is None for chain in study.chains)  # nothing of them was started here
    elsewhere = ["--out", "DIR"] if foreign or len(sources) > 1 else []
    report = f"python -m analysis.report {shlex.join([*sources, *options, *elsewhere])}"
    if foreign:
        return [report]
    lines = training(study.chains)
    lines += [f"python -m ablation.evaluate {shlex.quote(source)}" for source in sources]
    return [*lines, report]


def rebuilt(study: Study) -> bool:
    """Whether some chain keeps no command, so that a line of `commands` shows its reward and seed only."""
    return any(not chain.command for chain in study.chains)


def training(chains: Sequence[Chain], steps: int | None = None) -> list[str]:
    """The distinct commands that were typed to train ``chains``, in their order.

    For chains that keep no command follows one for each study, rebuilt from rewards and seeds. With ``steps``
    every command trains that many steps.
    """
    lines = list(dict.fromkeys(chain.command for chain in chains if chain.command))
    without = [chain for chain in chains if not chain.command]
    for name in dict.fromkeys(chain.study for chain in without):
        lines.append(_rebuilt(name, [chain for chain in without if chain.study == name]))
    return lines if steps is None else [with_steps(line, steps) for line in lines]


def with_steps(command: str, steps: int) -> str:
    """The command with ``chain.steps`` set to ``steps``."""
    try:
        words = shlex.split(command)
    except ValueError:  # no shell would take it either; the last value of a key counts
        return f"{command} {_STEPS}{steps}"
    return shlex.join([*(word for word in words if not word.startswith(_STEPS)), f"{_STEPS}{steps}"])


def _rebuilt(study: str, chains: Sequence[Chain]) -> str:
    rewards = dict.fromkeys(str(field(chain.config, "reward.name") or chain.arm) for chain in chains)
    seeds = ",".join(str(seed) for seed in sorted({chain.seed for chain in chains}))
    values = (f"study={study}", f"reward={','.join(rewards)}", f"seed={seeds}")
    return shlex.join(["python", "-m", "ablation.run", "-m", *values])


def versions(study: Study) -> list[tuple[str, str]]:
    """(package, versions that links ran with), by package."""
    found: dict[str, set[str]] = {}
    for chain in study.chains:
        for link in chain.links:
            for package, version in link.versions.items():
                found.setdefault(package, set()).add(version)
    return [(package, ", ".join(sorted(found[package]))) for package in sorted(found)]
