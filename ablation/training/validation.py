"""What a chain's model scores on a few validation tasks when a candidate of it is saved: ``eval/*`` of that step.

The same tasks and the same random numbers at every save, in every arm and seed, so that curves differ by the model
alone; with randomness of its own, so that a chain trains as if nobody had looked. Of few tasks it is a rough curve:
what ships is chosen by ``ablation.evaluate``, over the whole split.
"""

from collections.abc import Sequence
from itertools import islice

from ablation import metrics
from ablation.config import Config
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.verdict import Verdict
from ablation.tasks.prompts import Question, spoken_text
from ablation.training.ranks import Ranks
from ablation.training.sampling import derived_seed
from ablation.training.trainer import ChainTrainer
from analysis.statistics import pass_at_k


class Validation:
    """The tasks of one chain, and who scores their completions."""

    def __init__(self, config: Config, asked: Sequence[Question], pool: ScoringPool, ranks: Ranks) -> None:
        """``asked``: the questions of the validation split, of which the first few are taken."""
        self._asked = list(islice(asked, config.evaluation.save_tasks))
        self._samples = config.evaluation.save_samples
        self._seed = config.tasks.seed
        self._share_a_sampler = config.generation.tensor_parallel_size  # ranks, which draw the same
        self._pool = pool
        self._ranks = ranks

    def scores(self, trainer: ChainTrainer) -> dict[str, float | None]:
        """Returns ``eval/*`` of the weights of now, on the main rank of the tasks of all; None without a score."""
        mine = self._asked[self._ranks.rank :: self._ranks.world]
        share = -(-len(self._asked) // self._ranks.world)
        # Ranks sample together: one with fewer tasks answers another one once more, which counts for nothing.
        asked = [*mine, *self._asked[: share - len(mine)]]
        seed = derived_seed("validation", self._seed, self._ranks.rank // self._share_a_sampler)
        said = trainer.answers([question.ids for question in asked], self._samples, seed)
        verdicts = self._pool.score(
            [
                Submission(question.task, spoken_text(question.text, text))
                for question, texts in zip(mine, said, strict=False)
                for text in texts
            ]
        )
        return eval_metrics(self._ranks.gathered(verdicts))


def eval_metrics(verdicts: Sequence[Verdict]) -> dict[str, float | None]:
    """Returns means over scored samples, and pass@k, for powers of two, over tasks with more than k of them."""
    scored = [verdict for verdict in verdicts if verdict.solved is not None]
    of_task: dict[str, list[bool]] = {}
    for verdict in scored:
        of_task.setdefault(verdict.task_id, []).append(bool(verdict.solved))
    values: dict[str, float | None] = {
        metrics.EVAL_PASS_RATIO: _mean([float(verdict.pass_ratio or 0) for verdict in scored]),
        metrics.EVAL_SOLVED: _mean([float(bool(verdict.solved)) for verdict in scored]),
    }
    most = max(map(len, of_task.values()), default=0)
    for k in (2**power for power in range(most.bit_length()) if 2**power < most):
        known = [pass_at_k(len(solved), sum(solved), k) for solved in of_task.values() if len(solved) > k]
        values[metrics.eval_pass_at(k)] = _mean(known)
    return values


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
