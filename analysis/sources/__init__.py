"""Where histories come from, behind one small protocol (`analysis.sources.study.Reader`)."""

from collections.abc import Sequence
from typing import cast

from analysis.errors import AnalysisError
from analysis.sources import offline, run_folder, wandb_api
from analysis.sources.naming import RECOGNISED, Naming
from analysis.sources.run_folder import newest_study
from analysis.sources.several import combine_studies
from analysis.sources.study import Chain, History, Link, Reader, Study

__all__ = ["READERS", "Chain", "History", "Link", "Reader", "Study", "newest_study", "open_source", "open_sources"]

# In the order in which they are asked; a new kind of source is one module and one entry.
READERS: Sequence[Reader] = tuple(cast(Reader, kind) for kind in (wandb_api, run_folder, offline))


def open_source(source: str, naming: Naming = RECOGNISED) -> Study:
    """The study at ``source``, whatever kind of source it is; ``naming`` is for runs that no preset knows.

    Raises:
        AnalysisError: no reader recognises it, or it holds no chain.
    """
    for reader in READERS:
        if reader.recognises(source):
            return reader.read(source, naming)
    raise AnalysisError(run_folder.no_study(source))


def open_sources(sources: Sequence[str], naming: Naming = RECOGNISED) -> Study:
    """One study of everything in ``sources``; an arm that is in several of them is named study/arm.

    Raises:
        AnalysisError: as `open_source`, or one chain is given twice.
    """
    return combine_studies([open_source(source, naming) for source in sources])
