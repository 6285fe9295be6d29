"""``python -m analysis.publish STUDY --arm NAME --out DIR``: an arm's shipped checkpoint as a model repo.

The folder holds the weights as plain transformers load them, a card written from the records alone, and under
``training_logs`` what the card was written from. With ``--repo OWNER/NAME --push`` it goes to the Hub, private until
all of it is there; the same command goes on after a failure, and does nothing when all is done.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.errors import AnalysisError
from analysis.findings import find
from analysis.progress import begun
from analysis.publishing.earlier import earlier
from analysis.publishing.facts import repo_name
from analysis.publishing.folder import Published, place, publish, taken
from analysis.publishing.shipment import evaluation, finished, in_a_folder, known_arm, shipment
from analysis.publishing.weights import weights
from analysis.sources import open_source

OFFLINE = 3  # exit code: the folder is ready, the Hub was not reached
INTERRUPTED = 130  # exit code


def main(argv: Sequence[str] | None = None) -> int:
    """Publish and return the exit code.

    That is 2, with one sentence, when something is missing or refused; 3 when the folder is ready and the Hub cannot
    be reached.
    """
    arguments = _arguments(argv)
    try:
        return _publish(arguments, sys.argv[1:] if argv is None else argv)
    except AnalysisError as error:
        print(f"analysis.publish: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("analysis.publish: interrupted; type the same command again.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        print(f"analysis.publish: {error}: name a folder that can be written with --out DIR.", file=sys.stderr)
        return 2


def run(source: str, arms: Sequence[str], out: str | None) -> Iterator[Published]:
    """Publish ``arms`` of the study at ``source``, all without any; a folder of an earlier command is taken as it is.

    Raises:
        AnalysisError: an arm, its evaluation or its checkpoint is missing, the study is not finished, a place is
            taken by something else, or what would be published holds a secret.
    """
    study = in_a_folder(begun(open_source(source)))
    for arm in arms:
        known_arm(study, arm)
    found = find(finished(study))
    for arm in arms or study.arms:
        chosen = shipment(found, arm)
        files = weights(Path(chosen.chain.checkpoint(chosen.step)), evaluation(study))
        named = repo_name(chosen, files.parameters)
        target = place(out, Path(source), named, of_its_own=len(arms) == 1)
        yield earlier(target, chosen, files, named) if taken(target) else publish(found, chosen, files, target, named)


def _publish(arguments: argparse.Namespace, argv: Sequence[str]) -> int:
    repo, token = _destination(arguments)
    code = 0
    for done in run(arguments.study, arguments.arm, arguments.out):
        print("\n".join(done.notes))
        if repo is None:
            print(f"{done.files} files were scanned: no secret and no local path was found.")
        print(f"Model repo: {done.folder.as_posix()}", flush=True)
        if repo is not None:
            code = _to_hub(done, Path(arguments.study), repo, token, argv)
    return code


def _destination(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    """The repo, and the token when it is to be pushed to; both are looked at before anything is built."""
    if arguments.repo is None:
        if arguments.push:
            raise AnalysisError("--push does not say where to: type --repo OWNER/NAME --push.")
        return None, None
    if len(arguments.arm) != 1:
        raise AnalysisError("--repo is for one model, and several arms were asked for: name one of them with --arm.")
    from analysis.publishing import hub  # a third of a second that a folder alone does without

    return hub.repo_id(arguments.repo), hub.token() if arguments.push else None


def _to_hub(done: Published, study: Path, repo: str, token: str | None, argv: Sequence[str]) -> int:
    """Pushes with a token, and says what would be pushed without."""
    from analysis.publishing.hub import UnreachableError
    from analysis.publishing.push import checked, plan, push

    checked(done.folder, study)
    print(f"{done.files} files were scanned: no secret and no local path was found.", flush=True)
    command = shlex.join(["python", "-m", "analysis.publish", *argv])
    if token is None:
        print(f"Nothing was uploaded: {plan(done.folder, repo)}; type `{command} --push`.")
        return 0
    try:
        print(push(done.folder, repo, token))
    except UnreachableError as error:
        print(f"Nothing was uploaded, for {error}; the folder is ready.", file=sys.stderr)
        print(f"With a network {plan(done.folder, repo)}: type `{command}`.", file=sys.stderr)
        return OFFLINE
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis.publish", description="Publish an arm as a model repo.")
    parser.add_argument("study", metavar="STUDY", help="runs/<study>")
    parser.add_argument(
        "--arm", action="append", default=[], help="an arm whose shipped checkpoint is published (default: every arm)"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="a new folder, or an existing one to put <study>-<tasks>-<arm>-<step>-<size> in "
        "(default: <study folder>/published)",
    )
    parser.add_argument(
        "--repo", metavar="OWNER/NAME", help="the model repo on the Hub; alone, says what would be done"
    )
    parser.add_argument(
        "--push",
        action="store_true",
        help="upload the folder to --repo, new or of an earlier command, and make it public",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
