"""A model repo built beside its place and moved there when it is complete and clean, or not at all."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from analysis import report
from analysis.errors import AnalysisError
from analysis.findings import Findings
from analysis.publishing.card import card
from analysis.publishing.facts import FILE, facts
from analysis.publishing.paths import clean, replacements
from analysis.publishing.said import say
from analysis.publishing.scan import refuse_findings
from analysis.publishing.shipment import Shipment
from analysis.publishing.values import Values
from analysis.publishing.weights import Weights, copy

_OF_A_MACHINE = ("host", "pid")  # of a link, which nobody else can use


class Published(NamedTuple):
    """The finished folder, how many files it has, and one sentence for every change of a record or file left out."""

    folder: Path
    files: int
    notes: tuple[str, ...]


def place(out: str | None, study: Path, name: str, *, of_its_own: bool = True) -> Path:
    """Where the model repo goes: ``out``, or the folder ``name`` in it when it is an existing folder.

    Without ``out`` that is below ``published`` in the study's folder. An earlier result is where it went.
    ``of_its_own``: whether ``out`` may be the model repo itself, as where it is for one alone.
    """
    parent = Path(out) if out else study / "published"
    holds_a_model = (parent / "config.json").exists()
    inside = not out or not of_its_own or (parent.is_dir() and not holds_a_model)
    return parent / name if inside else parent


def taken(folder: Path) -> bool:
    """Whether there is something already."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def publish(found: Findings, shipment: Shipment, weights: Weights, target: Path, name: str) -> Published:
    """Builds the model repo at ``target``.

    Raises:
        AnalysisError: a secret or a local path is in it; nothing is left behind then.
    """
    notes: list[str] = []

    def fill(folder: Path) -> None:
        notes.extend(_fill(folder, found, shipment, weights, name))
        refuse_findings(folder, found.study.folder or Path(), "of the study's records")

    _complete_or_absent(target, fill)
    return Published(target, sum(path.is_file() for path in target.rglob("*")), tuple(notes))


def _fill(folder: Path, found: Findings, shipment: Shipment, weights: Weights, name: str) -> list[str]:
    logs, chain = folder / "training_logs", shipment.chain
    assert chain.folder is not None
    notes = [f"{file} of the checkpoint was left out." for file in weights.left_out]
    copy(weights, folder)
    report.write(found, logs, [f"runs/{found.study.name}"])
    record = _record(chain.folder / "chain.json")
    for link in record["links"]:
        link.update(dict.fromkeys(_OF_A_MACHINE))
    notes.append(f"training_logs/chain.json: {' and '.join(_OF_A_MACHINE)} of links were left out.")
    _write_json(logs / "chain.json", record)
    diffs = _copy_diffs(chain.folder, logs, record)
    (logs / "config.yaml").write_text(yaml.safe_dump(dict(chain.config), sort_keys=False), encoding="utf-8")
    _write_json(logs / FILE, facts(found, shipment, weights.parameters, record, name) | {"diffs": diffs})
    notes += clean(folder, replacements(found.study))
    published = json.loads((logs / FILE).read_text(encoding="utf-8"))
    _write_json(logs / FILE, {**published, "changed": notes})
    values = Values(folder)
    text = card(say(values))
    values.write()
    (folder / "README.md").write_text(text, encoding="utf-8")
    return notes


def _copy_diffs(chain: Path, logs: Path, record: Mapping[str, Any]) -> list[str]:
    """Copies the uncommitted changes that links ran with, where they were kept, and returns their files."""
    hashes = [((link.get("provenance") or {}).get("code") or {}).get("diff_sha256") for link in record["links"]]
    names = [f"provenance/{sha256}.diff" for sha256 in dict.fromkeys(hashes) if sha256]
    kept = [name for name in names if (chain / name).is_file()]
    for name in kept:
        (logs / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(chain / name, logs / name)
    return kept


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnalysisError(
            f"{path.as_posix()} cannot be read ({error}), and a card says what it records: put the file back, or "
            "train the chain again."
        ) from error
    return {**record, "links": record.get("links") or []}


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _complete_or_absent(target: Path, fill: Callable[[Path], None]) -> None:
    staging = target.absolute().with_name(f".{target.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        fill(staging)
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
