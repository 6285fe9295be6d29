import pytest

from ablation.scoring.rewards import REWARDS, binary, binary_partial, reward_function, shaped, threshold
from ablation.scoring.verdict import STATUSES, UNSCORED, Verdict


def verdict(passed: int, failed: int, status="scored") -> Verdict:
    tests = {f"test_{i}": "passed" if i < passed else "failed" for i in range(passed + failed)}
    return Verdict("t", status, tests, "rlimits", 0.0)


@pytest.mark.parametrize(
    ("passed", "failed", "expected"),
    [  # binary, shaped, threshold at 0.5, binary_partial from 0.9
        (0, 4, (0.0, 0.0, 0.0, 0.0)),
        (1, 3, (0.0, 0.25, 0.0, 0.0)),
        (2, 2, (0.0, 0.5, 1.0, 0.0)),
        (9, 1, (0.0, 0.9, 1.0, 0.5)),
        (8, 1, (0.0, 8 / 9, 1.0, 0.0)),
        (4, 0, (1.0, 1.0, 1.0, 1.0)),
    ],
)
def test_rewards_of_hand_worked_verdicts(passed, failed, expected):
    v = verdict(passed, failed)
    assert (binary(v), shaped(v), threshold(v), binary_partial(v)) == expected


def test_no_reward_where_there_is_no_score():
    for status in UNSCORED:
        assert [reward(verdict(2, 0, status)) for reward in REWARDS.values()] == [None] * len(REWARDS)


def test_a_candidates_own_fault_scores_zero():
    for status in set(STATUSES) - UNSCORED:
        v = Verdict("t", status, {"test_a": "missing", "test_b": "missing"}, "rlimits", 0.0)
        assert [reward(v) for reward in REWARDS.values()] == [0.0] * len(REWARDS)


def test_a_verdict_without_expected_tests_is_not_solved():
    assert binary(verdict(0, 0)) == 0.0
    assert shaped(verdict(0, 0)) == 0.0


def test_parameters_are_bound():
    reward = reward_function("binary_partial", {"partial_from": 0.5, "partial": 0.25})
    assert [reward(verdict(n, 4 - n)) for n in range(5)] == [0.0, 0.0, 0.25, 0.25, 1.0]


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("shapd", {}, "did you mean 'shaped'"),
        ("threshold", {"minimun": 0.5}, "did you mean 'minimum'"),
        ("shaped", {"minimum": 0.5}, "expected none"),
        ("threshold", {"minimum": "0.5"}, "expected a number"),
        ("threshold", {"minimum": True}, "expected a number"),
        ("threshold", {"minimum": 1.5}, "from 0 to 1"),
        ("threshold", {"minimum": float("nan")}, "from 0 to 1"),
    ],
)
def test_a_wrong_name_or_parameter_is_refused_in_words(name, params, words):
    with pytest.raises(ValueError, match=words):
        reward_function(name, params)
