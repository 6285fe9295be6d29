"""A model repo that an earlier command left: taken as it is, if it is what this command would have built."""

import filecmp
import json
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.publishing.facts import FILE
from analysis.publishing.folder import Published
from analysis.publishing.shipment import Shipment
from analysis.publishing.weights import Weights


def earlier(folder: Path, shipment: Shipment, weights: Weights, name: str) -> Published:
    """The finished folder, whose texts may have been edited since.

    Raises:
        AnalysisError: it is no model repo, or not the one of this study, arm, seed, step and weights.
    """
    chain = shipment.chain
    wanted = {"name": name, "study": chain.study, "arm": chain.arm, "seed": chain.seed, "step": shipment.step}
    said = _facts(folder)
    lacking = [path.name for path in weights.files if not (folder / path.name).is_file()]
    lacking += [] if (folder / "README.md").is_file() else ["README.md"]
    problems = [f"{key} {said.get(key)} instead of {value}" for key, value in wanted.items() if said.get(key) != value]
    problems += [f"no {file}" for file in lacking]
    problems += [
        f"another {path.name}" for path in weights.files if path.name not in lacking and _differs(path, folder)
    ]
    if problems:
        raise AnalysisError(
            f"{folder.as_posix()} is not the model repo of this arm ({', '.join(problems)}), which alone may be "
            "there: move it away, or name another with --out DIR."
        )
    files = sum(path.is_file() for path in folder.rglob("*"))
    return Published(folder, files, (f"{folder.as_posix()} was there already, and is taken as it is.",))


def _facts(folder: Path) -> dict[str, object]:
    path = folder / "training_logs" / FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise AnalysisError(
            f"{folder.as_posix()} exists and is no model repo of an earlier command (its training_logs/{FILE} cannot "
            "be read): move it away, or name another folder with --out DIR."
        ) from error


def _differs(path: Path, folder: Path) -> bool:
    """Only weights are compared: a path of this machine is replaced in the published configs."""
    return path.suffix == ".safetensors" and not filecmp.cmp(path, folder / path.name, shallow=False)
