"""What chains recorded of the audit of their tasks and of how their models were asked, in sentences. Pure."""

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from analysis.sources.study import Chain

_STYLES = {"chat": "in the messages of a chat", "plain": "by a plain prompt"}


class Asked(NamedTuple):
    """Sentences on the tasks of a study: facts, and what a reader must be warned of."""

    facts: tuple[str, ...]
    warnings: tuple[str, ...]


def asked(chains: Sequence[Chain]) -> Asked:
    """Each sentence once; it names its chains where not all of them have it."""
    facts: dict[str, list[Chain]] = {}
    warnings: dict[str, list[Chain]] = {}
    for chain in chains:
        audit = facts if chain.audit.get("state", "ok") == "ok" else warnings
        audit.setdefault(_audit(chain), []).append(chain)
        facts.setdefault(_style(chain), []).append(chain)
        if sum(_dropped(chain).values()):
            warnings.setdefault(_too_long(chain), []).append(chain)
    return Asked(tuple(_each(facts, len(chains))), tuple(_each(warnings, len(chains))))


def _each(said: dict[str, list[Chain]], everyone: int) -> Iterable[str]:
    for sentence, chains in said.items():
        which = "" if len(chains) == everyone else f"{', '.join(chain.name for chain in chains)}: "
        yield which + sentence


def _audit(chain: Chain) -> str:
    audit = chain.audit
    if not audit:
        return "Whether the tasks were audited was not recorded."
    left_out, total = audit.get("left_out", 0), audit.get("tasks", 0)
    if audit.get("state") == "none":
        return (
            f"The {total} tasks were never audited, so some may never score, or always: type "
            f"`python -m ablation.audit tasks={shlex.quote(_set(chain))} out=DIR`, and train with "
            "`tasks.manifest=DIR/manifest.json`."
        )
    missing = f"{left_out} of {total} tasks were left out, which their audit does not accept." if left_out else ""
    if audit.get("state") == "changed":
        changed = f"{audit.get('changed', 0)} of {total - left_out} tasks changed since their audit"
        return f"{changed}, which says nothing of them as they are now. {missing}".strip()
    return missing or f"All {total} tasks are as their audit accepted them."


def _style(chain: Chain) -> str:
    style = _STYLES.get(str(chain.prompts.get("style")))
    return f"Tasks are asked {style}." if style else "How tasks are asked was not recorded."


def _too_long(chain: Chain) -> str:
    dropped = _dropped(chain)
    splits = ", ".join(f"{count} of {split}" for split, count in dropped.items() if count)
    return (
        f"{sum(dropped.values())} tasks were dropped ({splits}), because their prompts have more than "
        f"{chain.prompts.get('limit')} tokens: scores are those of the shorter ones."
    )


def _dropped(chain: Chain) -> dict[str, int]:
    return dict(chain.prompts.get("dropped") or {})


def _set(chain: Chain) -> str:
    return str((chain.config.get("tasks") or {}).get("name") or "NAME")
