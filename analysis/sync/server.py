"""What a W&B server has of a run, asked through the public API."""

import time
from collections import Counter
from typing import Any, NamedTuple

from analysis.errors import AnalysisError
from analysis.sync.logs import stamp_of
from analysis.sync.plan import Stamps

SETTLING_S = 60.0  # how long a server may take to show rows that it took in
_LOOK_AGAIN_S = 2.0


class Held(NamedTuple):
    """The rows of a run on the server, how many lines it says to have taken in, and its last ``_step``."""

    stamps: Stamps
    lines: int
    last_call: int  # -1: there is none


class Server:
    """A W&B server, logged in to.

    Raises:
        AnalysisError: it cannot be reached, or does not know the key, in a sentence without it.
    """

    def __init__(self) -> None:
        import wandb

        self.url = str(wandb.setup().settings.base_url)
        try:
            self._api = wandb.Api(timeout=30)
            self.entity = str(self._api.default_entity or "")
        except Exception as error:  # the client raises a dozen kinds
            raise AnalysisError(_told(error, f"{self.url} cannot be used")) from error

    def held(self, path: str) -> Held:
        """What the server has of the run ``entity/project/id``; nothing when there is none.

        Raises:
            AnalysisError: the server does not say.
        """
        from wandb.apis.public.runs import RunNotFoundError

        try:
            run = self._api.run(path)
            rows: list[dict[str, Any]] = list(run.scan_history(use_cache=False))
        except Exception as error:
            if any(isinstance(e, RunNotFoundError) for e in (error, error.__cause__, getattr(error, "exc", None))):
                return Held(Counter(), 0, -1)
            raise AnalysisError(_told(error, "the server does not say which rows it has")) from error
        stamps = Counter(stamp_of(row.get("_timestamp")) for row in rows)
        last = max((int(row["_step"]) for row in rows if "_step" in row), default=-1)
        return Held(stamps, int(run._attrs.get("historyLineCount") or 0), last)

    def settled(self, path: str) -> Held:
        """What the server has of a run to which something was sent a moment ago, once it has taken that in.

        Raises:
            AnalysisError: it still shows fewer rows than it took in.
        """
        before, until = self.held(path), time.monotonic() + SETTLING_S
        while time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)
            now = self.held(path)
            if now == before and now.stamps.total() >= now.lines:
                return now
            before = now
        raise AnalysisError(
            f"the server shows {before.stamps.total()} of the {before.lines} rows that an interrupted call sent: type "
            "the command again in some minutes"
        )

    def shows(self, path: str, kept: Stamps) -> int:
        """How many rows of ``kept`` the server has, all of them or as many as it shows after `SETTLING_S`."""
        until = time.monotonic() + SETTLING_S
        while True:
            found = (self.held(path).stamps & kept).total()
            if found == kept.total() or time.monotonic() >= until:
                return found
            time.sleep(_LOOK_AGAIN_S)


def _told(error: Exception, what: str) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{what} ({lines[0].rstrip('.')}): check the network, and type `wandb login`"
