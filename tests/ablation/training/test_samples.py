from ablation import metrics
from ablation.scoring.verdict import Verdict
from ablation.training.samples import Sample, step_metrics


def sample(group: int, passed: int, total: int = 4, status: str = "scored") -> Sample:
    tests = {f"t{i}": "passed" if i < passed else "failed" for i in range(total)}
    verdict = Verdict("task", status, tests, "rlimits", 0.0)
    binary = None if verdict.solved is None else float(verdict.solved)
    rewards = {"binary": binary, "shaped": verdict.pass_ratio}
    return Sample(group, 0, "p", "c", verdict, rewards, train_reward=binary)


def test_metrics_of_a_step_by_hand():
    values = step_metrics([sample(0, 4), sample(0, 2), sample(1, 1), sample(1, 3), sample(2, 0), sample(2, 0)])
    assert values[metrics.REWARD_TRAIN] == 1 / 6
    assert values[metrics.SOLVED] == 1 / 6
    assert values[metrics.PASS_RATIO] == (4 + 2 + 1 + 3) / 4 / 6
    assert values[metrics.ANY_SOLVED] == 1 / 3
    assert values[metrics.ZERO_STD_BINARY] == 2 / 3  # group 0 alone has two different binary rewards
    assert values[metrics.ZERO_STD_SHAPED] == 1 / 3  # group 2 alone has none


def test_samples_without_a_score_leave_the_means_and_are_counted():
    values = step_metrics([sample(0, 4), sample(0, 4, status="infrastructure"), sample(1, 0), sample(1, 2)])
    assert values[metrics.SOLVED] == 1 / 3
    assert values[metrics.PASS_RATIO] == 0.5
    assert values[metrics.INFRASTRUCTURE] == 1 / 4
    assert values[metrics.ZERO_STD_SHAPED] == 1 / 2  # one scored sample is no signal


def test_a_step_without_any_score_has_no_reward_rather_than_zero():
    values = step_metrics([sample(0, 4, status="unsupported"), sample(0, 4, status="infrastructure")])
    assert values[metrics.REWARD_TRAIN] is None
    assert values[metrics.PASS_RATIO] is None
    assert values[metrics.UNSUPPORTED] == 0.5
