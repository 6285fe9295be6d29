"""What looks are taken for, without running anything."""

import pytest
from audit_task import clamp

from ablation.tasks.audit.findings import Finding
from ablation.tasks.audit.judging import judge, stub_floor
from ablation.tasks.audit.looks import PLAINLY, Look, ReferenceRun

NAMES = ("test_a", "test_b")
GOOD = ReferenceRun(0, True, "scored", (), 0.01)


def failing(*tests: str, order: int = 0) -> ReferenceRun:
    return ReferenceRun(order, False, "scored", tuple(f"{test} failed" for test in tests), 0.01)


def found(*looks: Look, **task: object) -> list[Finding]:
    return judge(clamp(**task), looks)


@pytest.mark.parametrize(
    "looks",
    [
        [Look(0, NAMES, (GOOD, failing("test_a")))],
        [Look(0, NAMES, (GOOD,)), Look(1, NAMES, (failing("test_b"),))],
        [Look(0, NAMES, (failing("test_a"), failing("test_b")))],  # no run solves, and no test always fails
        [Look(0, NAMES, (GOOD,)), Look(1, refused="the reference does not pass its tests")],
        [Look(0, NAMES, (failing("test_a"), failing("test_b")), refused="no"), Look(1, NAMES, (GOOD,), refused="no")],
    ],
)
def test_what_passes_in_one_run_and_not_in_another_is_flaky_alone(looks):
    assert [finding.kind for finding in found(*looks)] == ["flaky"]


@pytest.mark.parametrize(
    ("looks", "kind"),
    [
        ([Look(0, NAMES, (failing("test_a"), failing("test_a")))], "broken_reference"),
        ([Look(0, NAMES, (failing("test_a"),), refused="no")], "broken_reference"),
        ([Look(0, NAMES, (failing("test_a"),), refused="no"), Look(PLAINLY, NAMES, (GOOD,))], "unsupported"),
        ([Look(0, refused="no"), Look(PLAINLY, NAMES, (failing("reward"),))], "broken_reference"),
        ([Look(0, refused="no")], "unsupported"),
        ([Look(0, NAMES, (GOOD, GOOD), refused="no")], "unsupported"),
        ([Look(0, refused="ModuleNotFoundError: No module named 'numpy'")], "missing_package"),
    ],
)
def test_what_never_passes_is_broken_unless_plain_pytest_passes_it(looks, kind):
    assert kind in [finding.kind for finding in found(*looks)]
    assert {finding.kind for finding in found(*looks)} <= {kind, "unsupported"}


def test_tests_that_do_not_parse_are_unsupported_whatever_pytest_says():
    looks = [Look(0, refused="the tests do not compile"), Look(PLAINLY, NAMES, (failing("reward"),))]
    assert [finding.kind for finding in found(*looks, tests="def test_a(:\n")] == ["unsupported"]


def test_a_flaky_reference_is_shown_by_its_first_failing_run_and_what_was_special_about_it():
    looks = [Look(0, NAMES, (GOOD,)), Look(2, NAMES, (GOOD, failing("test_b", order=1)))]
    (finding,) = found(*looks)
    assert finding.detail == ("2 of 3 runs solve: test_b failed (order reversed, hash seed 2, clock 82 days ahead)")


@pytest.mark.parametrize(("tests", "kinds"), [((), ["no_tests"]), (("test_a",), ["few_tests"]), (NAMES, [])])
def test_tests_are_counted_as_they_are_expected_of_candidates(tests, kinds):
    runs = (GOOD,) if tests else (failing(),)
    kept = [finding.kind for finding in found(Look(0, tests, runs)) if finding.kind != "broken_reference"]
    assert kept == kinds


def test_a_file_in_which_the_verifier_sees_no_test_has_none_and_is_not_few():
    looks = [Look(world, refused="the tests define no test that counts") for world in range(2)]
    assert "no_tests" in [finding.kind for finding in found(*looks)]
    assert "no_tests" not in [finding.kind for finding in found(looks[0], Look(1, NAMES, (GOOD,)))]


def test_the_floor_is_the_best_run_of_the_best_stub_in_any_world():
    looks = [Look(0, NAMES, stubs={"a": [0, 1], "b": [0, 0]}), Look(1, NAMES, stubs={"a": [0], "b": [2]})]
    assert stub_floor(looks) == ("b", 2, 2)
    assert [finding.detail for finding in found(*looks)] == ["b passes all 2 tests in 1 of 3 runs"]
    assert stub_floor([Look(0)]) is None


def test_a_slow_reference_is_so_by_its_median():
    slow, quick = GOOD._replace(seconds=1.2), GOOD
    assert [finding.kind for finding in found(Look(0, NAMES, (slow, slow, quick)))] == ["slow"]
    assert found(Look(0, NAMES, (slow, quick, quick))) == []
    assert [finding.kind for finding in found(Look(0, NAMES, (quick,)), timeout_s=0.01)] == ["slow"]
