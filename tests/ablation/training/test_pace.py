"""What is expected of a step, and the sentences of links that end before the job does."""

import pytest

from ablation import metrics
from ablation.training.pace import CLOSING_S, MARGIN, Pace, Stopwatch, expected_s, measured

UNKNOWN = Pace(None, None, None)


def test_the_longest_recent_step_counts_with_a_margin_but_not_one_outlier():
    assert expected_s([]) is None
    assert expected_s([1.0, 4.0, 2.0]) == MARGIN * 4.0
    assert expected_s([1.0, 4.0, 2.0, 90.0, 1.0]) == MARGIN * 4.0
    assert expected_s([50.0, 60.0, *[1.0] * 20]) == MARGIN * 1.0  # they are long gone


def test_a_step_that_does_not_fit_is_not_begun_and_the_sentence_shows_the_arithmetic():
    watch = Stopwatch(UNKNOWN)
    watch.step(50.0)
    watch.save(2.0)
    needed_s = MARGIN * 50.0 + MARGIN * 2.0 + CLOSING_S
    assert watch.shortfall(None) == ""
    assert watch.shortfall(needed_s + 0.1) == ""
    assert watch.shortfall(40.0) == "the job ends in 40 s, a step takes 55 s, a save 2.2 s, closing 10 s"


def test_until_it_is_measured_a_save_is_taken_for_a_step_and_a_step_for_those_of_the_link_before():
    watch = Stopwatch(UNKNOWN)
    assert watch.shortfall(CLOSING_S + 0.1) == ""
    assert watch.shortfall(CLOSING_S - 0.1).startswith("the job ends in")
    watch = Stopwatch(Pace(20.0, 30.0, None))
    assert watch.shortfall(2 * 30.0 + CLOSING_S - 0.1)
    assert not watch.shortfall(2 * 30.0 + CLOSING_S + 0.1)
    watch.step(10.0)
    assert not watch.shortfall(2 * MARGIN * 10.0 + CLOSING_S + 0.1)


def test_a_job_that_is_too_short_for_any_step_is_told_what_it_needs():
    watch = Stopwatch(Pace(20.0, 30.0, 3.0))
    watch.started(22.0)
    assert watch.too_short(60.0) == (
        "a job of 60 s is too short for one step: start-up took 22 s, a step takes 30 s, a save 3.0 s, closing 10 s, "
        "together 65 s; give it more time, at least cluster.time_min=1.2"
    )


def row(step: int, link: int, seconds: float, save: float | None = None, startup: float | None = None) -> dict:
    times = {metrics.TIME_STEP: seconds, metrics.TIME_SAVE: save, metrics.TIME_STARTUP: startup}
    return {metrics.STEP: step, metrics.LINK: link, **times}


def test_the_pace_of_a_chain_is_its_last_links_and_its_saves_are_all_links():
    assert measured([]) == UNKNOWN
    rows = [row(1, 0, 9.0, startup=50.0), row(2, 0, 9.0, save=2.0), row(2, 1, 5.0, startup=20.0), row(3, 1, 6.0)]
    pace = measured(rows)
    assert pace == Pace(MARGIN * 20.0, MARGIN * 6.0, MARGIN * 2.0)
    assert pace.shortest_job_s == pytest.approx(MARGIN * 28.0 + CLOSING_S)
