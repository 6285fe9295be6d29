"""The tiers of containment: which layers hold a candidate. Every tier has resource limits."""

from dataclasses import dataclass

from ablation.scoring.suggest import did_you_mean


class SandboxError(RuntimeError):
    """The containment that was asked for cannot be had here; the message says why and what to do."""


@dataclass(frozen=True)
class Tier:
    """One combination of layers; ``name`` is what users type and what results record."""

    name: str
    bubblewrap: bool = False  # the server sees an own root, network and process table
    landlock: bool = False  # files beneath the given paths only
    seccomp: bool = False  # an allow-list of system calls; without Landlock it has no call that opens a path


TIERS = (
    Tier("bubblewrap+landlock+seccomp", bubblewrap=True, landlock=True, seccomp=True),
    Tier("landlock+seccomp", landlock=True, seccomp=True),
    Tier("seccomp", seccomp=True),
)  # strongest first
NONE = Tier("none")


def named(name: str) -> Tier:
    """The tier of that name. Raises SandboxError."""
    tiers = {tier.name: tier for tier in (*TIERS, NONE)}
    if name not in tiers:
        known = ", ".join(tiers)
        raise SandboxError(f"scoring.sandbox is {name!r}, expected one of {known}{did_you_mean(name, tiers)}")
    return tiers[name]
