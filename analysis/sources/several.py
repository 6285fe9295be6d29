"""Several studies as one, with arms that cannot be mistaken for each other."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analysis.errors import AnalysisError
from analysis.history import combine
from analysis.sources.study import Chain, History, Study


def combine_studies(studies: Sequence[Study]) -> Study:
    """One study of all chains; an arm's name that several studies use becomes study/arm in each of them.

    Raises:
        AnalysisError: one arm and seed of a study is given twice.
    """
    if len(studies) == 1:
        return studies[0]
    counts = Counter(arm for study in studies for arm in study.arms)
    shared = {arm for arm, count in counts.items() if count > 1}
    chains = [_renamed(chain, shared) for study in studies for chain in study.chains]
    for (arm, seed), count in Counter((chain.arm, chain.seed) for chain in chains).items():
        if count > 1:
            raise AnalysisError(f"Arm {arm} seed {seed} is in {count} of the sources: give each study once.")
    frame = combine(_renamed_frame(study.history.frame, shared) for study in studies)
    problems = tuple(problem for study in studies for problem in study.history.problems)
    ordered = tuple(sorted(chains, key=lambda chain: (chain.arm, chain.seed)))
    return Study(" + ".join(study.name for study in studies), None, ordered, History(frame, problems))


def _renamed(chain: Chain, shared: set[str]) -> Chain:
    if chain.arm not in shared:
        return chain
    return replace(chain, arm=f"{chain.study}/{chain.arm}", arm_in_files=chain.arm)


def _renamed_frame(frame: pd.DataFrame, shared: set[str]) -> pd.DataFrame:
    arm = frame["arm"].where(~frame["arm"].isin(shared), frame["study"] + "/" + frame["arm"])
    return frame.assign(arm=arm)
