"""What differs between a recorded chain and the one that would be trained now, and whether it can matter. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from ablation.config import Config
from ablation.printing import table
from ablation.provenance import Provenance
from ablation.repeating.recorded import Recorded, flat

HEADER = ("what", "then", "now", "can change the result")
NOT_RECORDED = "not recorded"
_HARMLESS = ("wandb", "hydra-core")  # packages that compute nothing
# Keys by whose values another result comes out; of the others the result is the same, or is compared by itself.
_MATTERING = ("generation.", "grpo.", "model.", "selection.", "cluster.ranks", "cluster.fsdp")
_OWN = ("study", "runs_dir", "plan")
_HASH = 12  # digits of a hash that are shown


class Difference(NamedTuple):
    """One thing that is not as it was."""

    what: str
    then: str
    now: str
    matters: bool  # whether it can change the result


class Now(NamedTuple):
    """Where the chain would be trained now."""

    provenance: Provenance
    versions: Mapping[str, str]
    tier: str
    same_code: bool  # whether the commits differ in nothing that a chain runs


def differences(recorded: Recorded, config: Config, now: Now) -> list[Difference]:
    """Returns what differs in code, packages, machine and configuration."""
    here, record = now.provenance, recorded.record
    links, diff_now = [link.provenance for link in record.links], here.code.diff_sha256 or "none"
    found = [
        _compared("commit", [_code(link, "commit") for link in links], here.code.commit, not now.same_code, _short),
        _compared("uncommitted changes", [_diff(link) for link in links], diff_now, True, _short),
        _compared("Python", [link.get("python") for link in links], here.python, True),
        _compared("platform", [link.get("platform") for link in links], here.platform, False),
        _compared("CPU", [link.get("cpu") for link in links], here.cpu, True),
        _compared("GPUs", [_gpus(link.get("gpus")) for link in links], _gpus(here.gpus), True),
        *_packages([link.versions for link in record.links], now.versions, vllm=config.generation.vllm),
        _compared("sandbox tier", [record.tier or None], now.tier, True),
        *_keys(recorded.config, config),
    ]
    return [difference for difference in found if difference is not None]


def told(found: Sequence[Difference]) -> list[str]:
    """Returns the lines of the table; none when nothing differs."""
    rows = [(one.what, one.then, one.now, "yes" if one.matters else "no") for one in found]
    return table(HEADER, rows) if rows else []


def expectation(found: Sequence[Difference], *, gpus: bool) -> str:
    """Returns in a sentence how equal the histories should be; ``gpus``: then or now."""
    names = ", ".join(one.what for one in found if one.matters)
    if gpus:
        here = f", and not all is the same here ({names})" if names else ""
        return (
            f"On a GPU no two runs are equal to the last bit{here}: once a rounding changes a sampled token, expect "
            "differences as between two seeds."
        )
    if names:
        return (
            "On the same machine, code and versions a CPU chain is equal to the last bit; with what is not the same "
            f"here ({names}) the histories may part, at first by a rounding, in the end as between two seeds."
        )
    return "Nothing differs that can change the result: on a CPU the histories must be equal to the last bit."


def _compared(
    what: str, then: Sequence[Any], now: Any, matters: bool, shown: Callable[[str], str] = str
) -> Difference | None:
    """None where every link recorded what is now. ``then``: of each link, None where it was not recorded."""
    texts = [NOT_RECORDED if value is None else str(value) for value in then] or [NOT_RECORDED]
    here = "unknown" if now is None else str(now)
    if set(texts) == {here}:
        return None
    return Difference(what, ", ".join(shown(text) for text in dict.fromkeys(texts)), shown(here), matters)


def _packages(then: Sequence[Mapping[str, str]], now: Mapping[str, str], *, vllm: bool) -> list[Difference | None]:
    harmless = (*_HARMLESS, *(() if vllm else ("vllm",)))
    names = dict.fromkeys(name for versions in (*then, now) for name in versions)
    return [
        _compared(name, [of.get(name, "absent") for of in then], now.get(name, "absent"), name not in harmless)
        for name in names
    ]


def _keys(then: Config, now: Config) -> list[Difference]:
    before, after = flat(asdict(then)), flat(asdict(now))
    changed = [
        key
        for key in {**before, **after}
        if before.get(key) != after.get(key) and key not in _OWN and {} not in (before.get(key), after.get(key))
    ]
    return [
        Difference(key, _value(before.get(key)), _value(after.get(key)), key.startswith(_MATTERING)) for key in changed
    ]


def _value(value: Any) -> str:
    return "null" if value is None else str(value)


def _code(link: Mapping[str, Any], name: str) -> Any:
    return (link.get("code") or {}).get(name)


def _diff(link: Mapping[str, Any]) -> str | None:
    return _code(link, "diff_sha256") or (None if _code(link, "dirty") is None else "none")


def _gpus(names: Sequence[str] | None) -> str | None:
    return None if names is None else ", ".join(names) or "none"


def _short(text: str) -> str:
    is_hash = len(text) >= 40 and not set(text) - set("0123456789abcdef")
    return text[:_HASH] if is_hash else text
