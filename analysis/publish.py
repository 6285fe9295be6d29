"""``python -m analysis.publish STUDY --arm NAME --out DIR``: an arm's shipped checkpoint as a model repo.

The folder holds the weights as plain transformers load them, a card written from the records alone, and under
``training_logs`` what the card was written from.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.findings import find
from analysis.progress import begun
from analysis.publishing.facts import repo_name
from analysis.publishing.folder import Published, place, publish
from analysis.publishing.shipment import evaluation, finished, in_a_folder, known_arm, shipment
from analysis.publishing.weights import weights
from analysis.sources import open_source


def main(argv: Sequence[str] | None = None) -> int:
    """Publish and return the exit code: 2, with one sentence, when there is nothing to publish yet."""
    arguments = _arguments(argv)
    try:
        done = run(arguments.study, arguments.arm, arguments.out)
    except AnalysisError as error:
        print(f"analysis.publish: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"analysis.publish: {error}: name a folder that can be written with --out DIR.", file=sys.stderr)
        return 2
    print("\n".join(done.notes))
    print(f"{done.files} files were scanned: no secret and no local path was found.")
    print(f"Model repo: {done.folder.as_posix()}")
    return 0


def run(source: str, arm: str, out: str | None) -> Published:
    """Publish ``arm`` of the study at ``source``.

    Raises:
        AnalysisError: the arm, its evaluation or its checkpoint is missing, the study is not finished, the place is
            taken, or what would be published holds a secret.
    """
    study = in_a_folder(begun(open_source(source)))
    known_arm(study, arm)
    found = find(finished(study))
    chosen = shipment(found, arm)
    files = weights(Path(chosen.chain.checkpoint(chosen.step)), evaluation(study))
    named = repo_name(chosen, files.parameters)
    target = place(out, Path(source), named)
    return publish(found, chosen, files, target, named)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.publish", description="Publish an arm as a model repo.")
    parser.add_argument("study", metavar="STUDY", help="runs/<study>")
    parser.add_argument("--arm", required=True, help="the arm whose shipped checkpoint is published")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="a new folder, or an existing one to put <study>-<tasks>-<arm>-<step>-<size> in "
        "(default: <study folder>/published)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
