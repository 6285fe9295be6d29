"""The Hub as a person meets it: a repo's name, a token, and what went wrong in one sentence."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from huggingface_hub import constants, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id

from analysis.errors import AnalysisError

_LONGEST = 300  # characters of a server's own words
_AGAIN = "type the same command again, which goes on from there"
_FAILURES = (httpx.HTTPError, OSError, RuntimeError, ValueError)  # the latter three are also those of `hf_xet`


class UnreachableError(AnalysisError):
    """There is no network, or it was switched off: nothing was sent."""


def repo_id(text: str) -> str:
    """The name of a repo itself.

    Raises:
        AnalysisError: it is no OWNER/NAME that the Hub would take.
    """
    try:
        validate_repo_id(text)
    except HFValidationError as error:
        reason = str(error).replace(f": '{text}'", "").replace("\n", " ").rstrip(".")
        raise AnalysisError(f"--repo {text!r} is no name of a repo ({reason}): type --repo OWNER/NAME.") from error
    if text.count("/") != 1:
        raise AnalysisError(f"--repo {text!r} does not say whose repo it is: type --repo OWNER/{text or 'NAME'}.")
    return text


def token() -> str:
    """The token of this machine's login, or of the environment.

    Raises:
        AnalysisError: there is none.
    """
    found = get_token()
    if not found:
        raise AnalysisError(
            "--push needs a token with write access and found none: type `hf auth login`, or set HF_TOKEN=…, and type "
            "the same command again."
        )
    return found


@contextmanager
def reaching(endpoint: str) -> Iterator[None]:
    """Tells a Hub that is not reached at all from one that fails, around the first call.

    Raises:
        UnreachableError: no answer came.
    """
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise UnreachableError("HF_HUB_OFFLINE is set, so the Hub is not asked") from error
    except httpx.TransportError as error:
        raise UnreachableError(f"the Hub at {endpoint} cannot be reached ({_line(error)})") from error


@contextmanager
def in_words(repo: str, secret: str) -> Iterator[None]:
    """Makes one sentence of whatever the client raises.

    Raises:
        AnalysisError: with that sentence, which never holds the ``secret``.
    """
    try:
        yield
    except AnalysisError:
        raise
    except _FAILURES as error:
        raise AnalysisError(_sentence(error, repo).replace(secret, "…")) from error


def _sentence(error: BaseException, repo: str) -> str:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, HfHubHTTPError):
            return _refused(cause.response.status_code, cause.server_message or "", repo)
    for cause in causes:
        if isinstance(cause, httpx.TransportError):
            return f"The connection to {constants.ENDPOINT} broke while {repo} was pushed ({_line(cause)}): {_AGAIN}."
    if isinstance(error, json.JSONDecodeError):
        return f"The Hub's answer about {repo} cannot be read, as when it is being repaired: {_AGAIN}."
    if "Invalid metadata in README.md" in str(error):
        return f"The Hub does not take the card's metadata ({_line(error)}): mend README.md and {_AGAIN}."
    status = re.search(r"HTTP status \w+ error \((\d{3})", str(error))  # how `hf_xet` says it
    return _refused(int(status[1]), "", repo) if status else f"{repo} was not pushed ({_line(error)}): {_AGAIN}."


def _refused(status: int, said: str, repo: str) -> str:
    owner = repo.split("/")[0]
    words = f"{status}, {_short(said)}" if said else str(status)
    if status == 401:
        return f"The Hub does not accept the token ({words}): type `hf auth login`, or set another HF_TOKEN."
    if status == 403:
        return f"The token may not write to {repo} ({words}): make one with write access to what {owner} owns."
    if status == 404:
        return f"The Hub finds no {owner} who could own {repo}, or lost the repo meanwhile ({words}): check --repo."
    if status == 409:
        return f"{repo} exists where this token cannot see it, or is being changed ({words}): name another with --repo."
    if status == 412:
        return f"Somebody else changed {repo} meanwhile ({words}), so nothing of it was changed here: {_AGAIN}."
    if status == 429:
        return f"The Hub has had too many calls of this account ({words}): wait some minutes and {_AGAIN}."
    if status >= 500:
        return f"The Hub failed while {repo} was pushed ({words}): {_AGAIN}."
    return f"The Hub refused to take {repo} ({words}): mend that and {_AGAIN}."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _line(error: BaseException) -> str:
    return _short(str(error)) or type(error).__name__


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST].rstrip(".")
