"""Copies of logs that end anywhere: what is whole is in them, and nothing else."""

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb.proto.wandb_internal_pb2 import Record
from wandb_client import log_runs, logs

from analysis.sources.wandb_log import BLOCK, MAGIC, Damage, read_log
from analysis.sync.logs import look_through
from analysis.sync.mend import write_copy, write_log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three blocks, with a record longer than one; read only."""
    folder = tmp_path_factory.mktemp("whole")
    rows = [{"step": step, "chain/link": 0, "text": "x" * (40_000 if step == 20 else 900)} for step in range(1, 40)]
    log_runs(folder, [{"init": {"project": "p", "id": "whole"}, "rows": rows}])
    return logs(folder)[0]


def records(path: Path) -> list[Record]:
    return [record for record in read_log(path, Record) if not isinstance(record, Damage)]


def copied(path: Path, folder: Path, rows: set[int] | None = None, **options: int) -> list[Record | Damage]:
    log = look_through(path)
    chosen = {call.record for call in log.calls} if rows is None else rows
    return list(read_log(write_copy(log, folder, chosen, **{"sent": 0, "renumber": False} | options), Record))


def test_a_whole_log_is_copied_record_by_record(log: Path, tmp_path: Path) -> None:
    assert log.stat().st_size > 2 * BLOCK
    assert copied(log, tmp_path / "copy") == records(log)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_log_cut_anywhere_keeps_every_whole_record(
    log: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = log.read_bytes()
    first = next(i for i, r in enumerate(records(log)) if r.HasField("run"))
    least = _end_of(records(log)[: first + 1])
    at_blocks = st.sampled_from([BLOCK + shift for shift in (-7, -1, 0, 1, 6, 7, 8)])
    cut = data.draw(st.integers(least, len(content)) | at_blocks)
    folder = tmp_path_factory.mktemp("cut")
    path = folder / log.name
    path.write_bytes(content[:cut])
    assert copied(path, folder / "copy") == records(path)
    assert path.read_bytes() == content[:cut]


def test_a_damaged_record_in_the_middle_is_left_out(log: Path, tmp_path: Path) -> None:
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / log.name
    path.write_bytes(content)
    assert len(look_through(path).damage) == 1
    assert copied(path, tmp_path / "copy") == records(path)


def test_rows_are_chosen_and_counted_anew_and_sent_console_lines_stay_out(log: Path, tmp_path: Path) -> None:
    path = tmp_path / log.name
    console = Record(num=10_000)
    console.output_raw.line = "said"
    with path.open("wb") as file:
        write_log(file, [*records(log), console])
    rows = {call.record for call in look_through(path).calls[5:8]}
    made = copied(path, tmp_path / "copy", rows, sent=10_000, renumber=True)
    history = [record.history for record in made if record.HasField("history")]
    assert [h.step.num for h in history] == [0, 1, 2]
    assert [i.value_json for h in history for i in h.item if list(i.nested_key) == ["_step"]] == ["0", "1", "2"]
    assert not any(record.HasField("output_raw") for record in made)
    assert any(r.HasField("output_raw") for r in copied(path, tmp_path / "again", rows, sent=9_999))


def test_the_runs_other_files_come_along_without_being_written_through(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "run" / log.name
    (path.parent / "files" / "media").mkdir(parents=True)
    path.write_bytes(log.read_bytes())
    (path.parent / "files" / "media" / "image.png").write_bytes(b"png")
    (path.parent / "files" / "config.yaml").write_text("a: 1")
    copied(path, tmp_path / "copy")
    files = tmp_path / "copy" / "files"
    assert (files / "media" / "image.png").read_bytes() == b"png"
    (files / "config.yaml").write_text("changed")
    assert (path.parent / "files" / "config.yaml").read_text() == "a: 1"


def _end_of(some: list[Record]) -> int:
    file = io.BytesIO()
    write_log(file, some)
    assert file.getvalue().startswith(MAGIC)
    return len(file.getvalue())
