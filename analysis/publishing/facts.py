"""What publishing itself finds out, for ``training_logs/published.json``: name, size, origins, time, gaps. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.findings import Findings
from analysis.plots import curve_names
from analysis.publishing.shipment import Shipment
from analysis.publishing.weights import size
from analysis.reproduce import commands

FILE = "published.json"
_LONGEST_NAME = 96  # characters; the Hub takes no more


def repo_name(shipment: Shipment, parameters: int) -> str:
    """``<study>-<tasks>-<arm>-<step>-<size>``, in letters that a repo on the Hub may have."""
    chain = shipment.chain
    parts = (chain.study, tasks_name(chain.config), chain.arm, shipment.step, size(parameters))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(str(part) for part in parts))
    return re.sub(r"-{2,}|\.{2,}", "-", name).strip("-.")[:_LONGEST_NAME].rstrip("-.")


def tasks_name(config: Mapping[str, Any]) -> str:
    return str((config.get("tasks") or {}).get("name") or "tasks")


def facts(found: Findings, shipment: Shipment, parameters: int, record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The content of ``published.json``; what is not known is null.

    Args:
        record: the chain's ``chain.json``.
        name: of the folder, and of the model.
    """
    chain, study = shipment.chain, found.study
    links = record.get("links") or []
    seeds = sorted(other.seed for other in study.chains if other.arm == chain.arm)
    return {
        "name": name,
        "study": study.name,
        "arm": chain.arm,
        "seed": chain.seed,
        "step": shipment.step,
        "parameters": parameters,
        "size": size(parameters),
        "arms": len(study.arms),
        "seeds": seeds,
        "seed_count": len(seeds),
        "curve": f"figures/{curve_names(study.arms)[chain.arm]}.png",
        "base": _origin("base", chain.config.get("model") or {}, record, Path(chain.base_model).name),
        "tasks": _origin("tasks", chain.config.get("tasks") or {}, record, chain.tasks_fingerprint),
        "links": len(links),
        **facts_of_time(links),
        "same_code": len({str(_code(link)) for link in links}) <= 1,
        "commands": [
            *commands(study, [f"runs/{study.name}"]),
            f"python -m analysis.publish runs/{study.name} --arm {chain.arm}",
        ],
        "repeat": f"python -m ablation.repeat {name}",
        "warnings": [*found.differences.warnings, *found.asked.warnings],
        "problems": list(found.problems),
    }


def _origin(what: str, section: Mapping[str, Any], record: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """Where a base model or a task set is from; only what the record says to be on the Hub has an id there."""
    path, name = str(section.get("path") or ""), str(section.get("name") or "")
    recorded = str((record.get("origins") or {}).get(what) or "")
    if not path:
        return {"origin": "made here", "name": name, "hub_id": None, "identity": identity}
    if recorded == "hub":
        hub_id = re.sub(r"^hf://datasets/([^/@]+/[^/@]+).*", r"\1", path)
        return {"origin": "hub", "name": path, "hub_id": hub_id, "identity": identity}
    return {"origin": recorded or "not recorded", "name": Path(path).name, "hub_id": None, "identity": identity}


def _code(link: Mapping[str, Any]) -> Any:
    return (link.get("provenance") or {}).get("code")


def facts_of_time(links: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """How long all links of a ``chain.json`` ran, in hours, and that times the GPUs that they could use.

    Neither is known when the end of a link is not, as after a kill with its supervisor; the latter is only known
    when every link recorded its GPUs.
    """
    if not links or not all(link.get("start") and link.get("end") for link in links):
        return {"wall_hours": None, "gpu_hours": None}
    hours = [_hours(link["start"], link["end"]) for link in links]
    gpus = [len(link["provenance"]["gpus"]) for link in links if "gpus" in (link.get("provenance") or {})]
    known = len(gpus) == len(links)
    gpu_hours = sum(time * count for time, count in zip(hours, gpus, strict=True)) if known else None
    return {"wall_hours": round(sum(hours), 3), "gpu_hours": None if gpu_hours is None else round(gpu_hours, 3)}


def _hours(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 3600
