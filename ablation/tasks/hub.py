"""Data sets on the Hub: ``hf://datasets/ORG/NAME[@REVISION][/GLOB]``, downloaded once to the client's own cache.

The Hub is asked for the newest commit of a branch when it can be reached; without a network, or with
``HF_HUB_OFFLINE=1``, what the cache has is read. A revision that is a commit needs no network once it is there.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from ablation.config import ConfigError

PREFIX = "hf://"
FORM = "hf://datasets/ORG/NAME[@REVISION][/GLOB]"
_PLACE = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[^/]+))?(?:/(?P<glob>.+))?/?")


class Fetched(NamedTuple):
    """Files of a data set in the client's cache."""

    label: str  # the data set and its commit
    folder: Path
    names: list[str]  # beneath ``folder``, in order

    @property
    def within(self) -> Path:
        """Where the cache keeps the content that its links lead to."""
        return self.folder.parent.parent


def is_on_hub(path: str) -> bool:
    return path.startswith(PREFIX)


def fetch(place: str, patterns: Sequence[str]) -> Fetched:
    """The files of ``place`` that its glob matches, or ``patterns`` where it has none, in order of their names.

    Raises ConfigError when it is no such place, does not exist, or is neither cached nor to be reached.
    """
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ConfigError(f"tasks.path={place} is no place on the Hub that can be read; expected {FORM}.")
    import httpx
    from huggingface_hub import snapshot_download  # half a second that local sets do without
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    repo, revision = match["repo"], match["revision"]
    wanted = [match["glob"]] if match["glob"] else list(patterns)
    try:
        folder = Path(snapshot_download(repo, repo_type="dataset", revision=revision, allow_patterns=wanted))
    except RepositoryNotFoundError as error:
        raise ConfigError(
            f"tasks.path={place}: the Hub has no data set {repo} that this account may read; check the name, or type "
            "`hf auth login`."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx.HTTPError, OSError, ValueError) as error:
        download = " ".join(
            ["hf download --repo-type dataset", repo, *(["--revision", revision] if revision else [])]
            + [f"--include '{pattern}'" for pattern in wanted]
        )
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"tasks.path={place} is not in the cache and could not be fetched ({reason}); where there is a network, "
            f"type `{download}`."
        ) from error
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found = [name for name in names if any(fnmatch(name, pattern) for pattern in wanted)]
    return Fetched(f"{repo}@{folder.name[:8]}", folder, found)
