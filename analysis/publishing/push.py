"""A finished model repo made to stand on the Hub: nothing of it is visible before all of it is there.

A new repo is private until its files have been compared with the folder's, then public. All files come with one
commit, so a repo that was public already shows either its old state or the new one. How far an earlier command came
is asked of the Hub alone: it knows its repos, and which contents were uploaded, so there is no state here to be wrong.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import yaml
from huggingface_hub import CommitOperationAdd, HfApi, ModelCard, ModelInfo
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.utils import disable_progress_bars

from analysis.errors import AnalysisError
from analysis.publishing.facts import FILE
from analysis.publishing.hub import in_words, reaching
from analysis.publishing.scan import refuse_findings

_PATIENCE_S = 15.0  # for the first answer; later ones may take as long as an upload takes
_MADE_BY_THE_HUB = {".gitattributes"}


class Compared(NamedTuple):
    """How a repo differs from the folder: files to upload, of them other weights, and files that are only there."""

    lacking: tuple[str, ...]
    other_weights: tuple[str, ...]
    foreign: tuple[str, ...]


def plan(folder: Path, repo: str) -> str:
    """What a push would do, without a capital and a full stop."""
    files = _files(folder)
    size = sum(path.stat().st_size for path in files)
    return f"{len(files)} files ({size / 1e6:,.1f} MB) would go to {repo}, private until all are there and then public"


def checked(folder: Path, study: Path) -> None:
    """Nothing, when the bytes of the folder may leave this machine and its card can be read.

    Raises:
        AnalysisError: a secret or a local path is in a file, or the card's metadata is damaged.
    """
    refuse_findings(folder, study, f"of {folder.as_posix()}")
    try:
        ModelCard.load(folder / "README.md")
    except (yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise AnalysisError(
            f"The metadata of {(folder / 'README.md').as_posix()} cannot be read ({' '.join(str(error).split())}): "
            "mend it, or move the folder away to have it made anew."
        ) from error


def push(folder: Path, repo: str, token: str) -> str:
    """Makes the model repo on the Hub hold what the folder holds, and public; one sentence says what that took.

    Raises:
        UnreachableError: there is no network; nothing was sent.
        AnalysisError: the repo holds something else, or the Hub refused, or failed on the way.
    """
    api = HfApi(token=token)
    if not sys.stderr.isatty() and "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        disable_progress_bars()  # which the client would write into logs
    with in_words(repo, token):
        with reaching(api.endpoint):
            there = _there(api, repo)
        if there is None:
            api.create_repo(repo, private=True)
            there = api.model_info(repo)
        lacking = _ours(_compare(api, there, folder), repo).lacking
        if lacking:
            print(f"Uploading {len(lacking)} files to {api.endpoint}/{repo} …", flush=True)
            _commit(api, there, folder)
            there = api.model_info(repo)
            _refuse_difference(_compare(api, there, folder), repo)
        public = there.private is False
        if not public:
            api.update_repo_settings(there.id, private=False)
    return _done(len(lacking), public, f"{api.endpoint}/{repo}")


def _there(api: HfApi, repo: str) -> ModelInfo | None:
    """What the Hub knows of the repo; None when it has none that this token may see."""
    try:
        return api.model_info(repo, timeout=_PATIENCE_S)
    except RepositoryNotFoundError:
        return None


def _compare(api: HfApi, there: ModelInfo, folder: Path) -> Compared:
    found = api.verify_repo_checksums(there.id, revision=there.sha, local_dir=folder)
    differing = [mismatch["path"] for mismatch in found.mismatches]
    return Compared(
        tuple(sorted([*differing, *found.extra_paths])),
        tuple(path for path in differing if path.endswith(".safetensors")),
        tuple(path for path in found.missing_paths if path not in _MADE_BY_THE_HUB),
    )


def _ours(found: Compared, repo: str) -> Compared:
    """What was found itself.

    Raises:
        AnalysisError: the repo holds another model, or files that would stay beside those of this one.
    """
    others = [*found.foreign, *found.other_weights]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise AnalysisError(
            f"{repo} holds files of something else ({', '.join(others[:3])}{more}), and two models are not mixed in "
            "one repo: name a new one with --repo, or delete what is there."
        )
    return found


def _commit(api: HfApi, there: ModelInfo, folder: Path) -> None:
    """Uploads what the Hub does not have yet and then commits all at once, unless the repo was changed meanwhile."""
    files = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    api.create_commit(
        there.id,
        operations=[CommitOperationAdd(name, path) for name, path in files.items()],
        commit_message=f"{folder.name}, as training_logs/{FILE} describes it",
        parent_commit=there.sha,
    )


def _refuse_difference(found: Compared, repo: str) -> None:
    """Raises AnalysisError when the repo and the folder differ after the upload."""
    if found.lacking or found.foreign:
        names = ", ".join([*found.lacking, *found.foreign][:3])
        raise AnalysisError(
            f"{repo} differs from the folder after the upload ({names}), as when files were edited meanwhile, and was "
            "left as visible as it was: type the same command again."
        )


def _done(uploaded: int, was_public: bool, url: str) -> str:
    if uploaded:
        files = f"{uploaded} file{'s' if uploaded > 1 else ''}"
        return f"Pushed {files}: {url} holds what the folder holds, and is public."
    visible = "and is public" if was_public else "and is public now"
    return f"Nothing was uploaded: {url} holds what the folder holds already, {visible}."


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
