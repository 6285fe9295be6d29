"""What the W&B client raises when a server cannot be reached or refuses, as one sentence of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from analysis.errors import AnalysisError


@contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever the client raises inside becomes an AnalysisError that says that ``what`` (a clause) and why."""
    import requests  # these take a second, which other sources need not pay
    import wandb
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError  # which is no wandb.errors.Error

    try:
        yield
    except (wandb.errors.Error, WandbApiFailedError, requests.RequestException, ValueError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise AnalysisError(
            f"{what} ({lines[0].rstrip('.')}): check the two names and the network, and type `wandb login`."
        ) from error
