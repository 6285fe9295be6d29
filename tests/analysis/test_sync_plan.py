from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wandb.proto.wandb_internal_pb2 import RunRecord

from analysis.errors import AnalysisError
from analysis.history import Row, stitch
from analysis.sync.logs import Call, Log, alive, in_order
from analysis.sync.plan import make_plan


def log(link: int, steps: list[int | None], key: str = "step", path: str = "run-x.wandb") -> Log:
    """A log whose rows are records 0, 1, …, and whose stamps are those of no other link."""
    made = Log(Path(path), RunRecord(run_id="x"), 0, "")
    made.run.start_time.seconds = link
    of_ours = {"chain/link": float(link), "reward/train": 0.5} if key == "step" else {}
    for index, step in enumerate(steps):
        item = {"_step": float(index), **of_ours} | ({} if step is None else {key: float(step)})
        made.calls.append(Call(index, item, 1000 * link + index))
    return made


def stamps(*pairs: tuple[int, int]) -> Counter[int | None]:
    return Counter(1000 * link + index for link, index in pairs)


def test_steps_that_a_later_link_did_again_are_left_out() -> None:
    plan = make_plan([log(0, [1, 2, 3, 4]), log(1, [3, 4, 5])], Counter())
    assert plan.send == [[0, 1], [0, 1, 2]]
    assert (plan.rows, plan.there, plan.redone, plan.redone_there) == (5, 0, 2, 0)


def test_a_row_without_a_step_goes_the_way_of_the_one_before_it() -> None:
    plan = make_plan([log(0, [None, 1, None, 2, None]), log(1, [2, 3])], Counter())
    assert plan.send == [[0, 1, 2], [0, 1]]


def test_what_the_server_has_is_not_sent() -> None:
    plan = make_plan([log(0, [1, 2, 3]), log(1, [3, 4])], stamps((0, 0), (0, 1), (0, 2), (1, 0)))
    assert plan.send == [[], [1]]
    assert (plan.rows, plan.there, plan.redone, plan.redone_there) == (1, 3, 0, 1)


def test_rows_of_one_stamp_are_counted() -> None:
    two = log(0, [1, 2])
    two.calls = [call._replace(stamp=7) for call in two.calls]
    assert make_plan([two], Counter({7: 1})).send == [[1]]


def test_a_gap_is_filled_where_rows_name_their_link_and_refused_where_they_do_not() -> None:
    assert make_plan([log(0, [1, 2]), log(1, [3])], stamps((1, 0))).send == [[0, 1], []]
    with pytest.raises(AnalysisError, match="the server lacks 2 rows before 1 that it has"):
        make_plan([log(0, [1, 2], "train/global_step"), log(1, [3], "train/global_step")], stamps((1, 0)))


def test_rows_without_a_known_step_all_go() -> None:
    assert make_plan([log(0, [1, 2], "iteration"), log(1, [1], "iteration")], Counter()).send == [[0, 1], [0]]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 10)), min_size=1, max_size=6))
def test_what_is_sent_is_what_stitching_keeps(links: list[tuple[int, int]]) -> None:
    chain = [log(link, list(range(first, first + count))) for link, (first, count) in enumerate(links)]
    plan = make_plan(chain, Counter())
    sent = [(link, int(chain[link].calls[i].item["step"])) for link, rows in enumerate(plan.send) for i in rows]
    rows = [Row(link, int(call.item["step"]), {}) for link, each in enumerate(chain) for call in each.calls]
    assert sorted(sent) == sorted((row.link, row.step) for row in stitch(rows))


def test_links_go_by_their_start_and_of_copies_the_longest_counts() -> None:
    early, late, copy = log(1, [1]), log(2, [2, 3]), log(2, [2], path="copy/run-x.wandb")
    late.last_record = 2
    assert in_order([late, copy, early]) == [early, late]


def test_a_log_with_an_end_or_silent_for_long_is_not_alive(tmp_path: Path) -> None:
    path = tmp_path / "chain" / "wandb" / "offline-run" / "run-x.wandb"
    path.parent.mkdir(parents=True)
    path.touch()
    now_s, made = path.stat().st_mtime, log(0, [1], path=str(path))
    assert "was written 30 s ago" in alive([made], now_s + 30)
    assert alive([made], now_s + 1000) == ""
    made.ended = True
    assert alive([made], now_s + 30) == ""
    (tmp_path / "chain" / ".lease").touch()
    assert "chain is being trained" in alive([made], now_s + 30)
