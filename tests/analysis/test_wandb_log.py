import json
import math
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from google.protobuf import timestamp_pb2
from wandb.proto import wandb_internal_pb2, wandb_telemetry_pb2
from wandb.proto.wandb_internal_pb2 import Record
from wandb_client import log_runs, logs

from analysis.errors import AnalysisError
from analysis.sources import wandb_messages
from analysis.sources.wandb_job import read_job
from analysis.sources.wandb_log import BLOCK, MAGIC, Damage, read_log
from analysis.sync.mend import write_log

STEPS = 120


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a finished run whose records span several blocks; read only."""
    folder = tmp_path_factory.mktemp("long")
    row = {f"group/metric-{index}": index / 7 for index in range(60)}
    rows = [row | {"train/global_step": step, "text": "x" * (40_000 if step == 60 else 1)} for step in range(STEPS)]
    log_runs(folder, [{"init": {"project": "p", "id": "long"}, "rows": rows}])
    return logs(folder)[0]


def records(path: Path) -> list[Record]:
    return [item for item in read_log(path, Record) if not isinstance(item, Damage)]


def damages(path: Path) -> list[Damage]:
    return [item for item in read_log(path, Record) if isinstance(item, Damage)]


def steps(path: Path) -> list[int]:
    return [record.history.step.num for record in records(path) if record.HasField("history")]


def changed(log: Path, folder: Path, change: dict[int, int]) -> Path:
    """A copy with the bytes at some offsets inverted by a mask."""
    content = bytearray(log.read_bytes())
    for offset, mask in change.items():
        content[offset] ^= mask
    path = folder / "run-long.wandb"
    path.write_bytes(content)
    return path


def test_a_whole_log_has_every_record_once_and_no_damage(log: Path) -> None:
    assert log.stat().st_size > 5 * BLOCK
    assert damages(log) == []
    assert [record.num for record in records(log)] == list(range(1, len(records(log)) + 1))
    assert steps(log) == list(range(STEPS))


def test_records_and_values_are_those_that_wandb_itself_reads(log: Path) -> None:
    wandb = Path(sys.executable).with_name("wandb")
    command = [str(wandb), "leet", "inspect", "--json", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"WANDB_SILENT": "1"})
    assert done.returncode == 0, done.stderr
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    ours = records(log)
    assert [item["num"] for item in theirs] == [record.num for record in ours]
    of_history = [record.history for record in ours if record.HasField("history")]
    read = [{".".join(i.nested_key): json.loads(i.value_json) for i in history.item} for history in of_history]
    assert read == [item["history"]["item"] for item in theirs if item["type"] == "history"]


def test_a_damaged_record_costs_itself_alone_and_is_counted(log: Path, tmp_path: Path) -> None:
    path = changed(log, tmp_path, {BLOCK + BLOCK // 2: 0xFF})
    [damage] = damages(path)
    assert damage.records == 1
    assert not damage.torn
    assert damage.offset <= BLOCK + BLOCK // 2 < damage.offset + damage.size
    assert len(records(path)) == len(records(log)) - 1


def test_a_damaged_length_costs_no_more_than_its_record(log: Path, tmp_path: Path) -> None:
    content = log.read_bytes()
    offset = next(i for i in range(7, BLOCK) if content[i + 6 : i + 7] == b"\x01" and _whole(content, i))
    path = changed(log, tmp_path, {offset + 5: 0xFF})
    [damage] = damages(path)
    # It is the file's first record, so no number before it tells how many were lost.
    assert (damage.offset, damage.records, damage.torn) == (offset, None, False)
    assert len(records(path)) == len(records(log)) - 1


def test_a_lost_block_costs_the_records_in_it_and_reading_goes_on(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "run-long.wandb"
    content = log.read_bytes()
    path.write_bytes(content[: 2 * BLOCK] + bytes(BLOCK) + content[3 * BLOCK :])
    [damage] = damages(path)
    assert damage.size >= BLOCK
    assert damage.records == len(records(log)) - len(records(path))
    assert steps(path)[-1] == STEPS - 1


def test_damage_far_apart_is_told_apart(log: Path, tmp_path: Path) -> None:
    path = changed(log, tmp_path, {BLOCK // 2: 1, 4 * BLOCK + BLOCK // 2: 1})
    assert [damage.records for damage in damages(path)] == [1, 1]


def test_a_log_that_stops_anywhere_keeps_what_was_whole(log: Path, tmp_path: Path) -> None:
    content, whole = log.read_bytes(), len(records(log))
    path = tmp_path / "run-long.wandb"
    counts = []
    for end in (*range(len(content) - 40, len(content), 3), BLOCK, BLOCK + 3, 2 * BLOCK + 7, len(MAGIC)):
        path.write_bytes(content[:end])
        counts.append(len(records(path)))
        assert all(damage.torn and damage.offset + damage.size == end for damage in damages(path))
        assert len(damages(path)) <= 1
    assert counts[-1] == 0
    assert max(counts) < whole


def test_a_damaged_end_is_not_taken_for_a_run_that_is_being_written(log: Path, tmp_path: Path) -> None:
    path = changed(log, tmp_path, {log.stat().st_size - 1: 0xFF})
    [damage] = damages(path)
    assert (damage.torn, damage.records) == (False, None)


def test_a_record_that_is_no_message_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "run-odd.wandb"
    bodies = [Record(num=1).SerializeToString(), b"\xff\xff\xff", Record(num=3).SerializeToString()]
    path.write_bytes(MAGIC + b"".join(_chunk(body) for body in bodies))
    assert [record.num for record in records(path)] == [1, 3]
    assert [damage.records for damage in damages(path)] == [1]


@pytest.mark.parametrize("content", [b"", b":W&B", b"{}" * 100, MAGIC[:-1] + b"\x01" + b"x" * 50])
def test_a_file_that_is_no_log_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run-x.wandb"
    path.write_bytes(content)
    with pytest.raises(AnalysisError, match=r"run-x\.wandb begins with .* where a W&B log begins with .*: move it"):
        list(read_log(path))


def test_what_is_appended_while_a_log_is_read_is_left_for_the_next_reading(log: Path, tmp_path: Path) -> None:
    content, path = log.read_bytes(), tmp_path / "run-long.wandb"
    path.write_bytes(content[: 3 * BLOCK + BLOCK // 2])
    whole = len(records(path))
    reading = read_log(path, Record)
    assert all(isinstance(next(reading), Record) for _ in range(whole))
    with path.open("ab") as file:
        file.write(content[3 * BLOCK + BLOCK // 2 :])
    assert [damage.torn for damage in reading if isinstance(damage, Damage)] == [True]
    assert whole < len(records(path)) == len(records(log))


def _chunk(body: bytes) -> bytes:
    return struct.pack("<IHB", zlib.crc32(b"\x01" + body), len(body), 1) + body


def _whole(content: bytes, offset: int) -> bool:
    checksum, size, _ = struct.unpack_from("<IHB", content, offset)
    return zlib.crc32(content[offset + 6 : offset + 7 + size]) == checksum


def test_the_fields_that_are_read_have_the_numbers_and_types_of_the_client() -> None:
    for name, fields in wandb_messages.MESSAGES.items():
        module = {"Timestamp": timestamp_pb2, "TelemetryRecord": wandb_telemetry_pb2}.get(name, wandb_internal_pb2)
        theirs = getattr(module, name).DESCRIPTOR
        ours = wandb_messages.CLASSES[name].DESCRIPTOR
        assert [field.number for field in ours.fields] == sorted(fields)
        for field in ours.fields:
            known = theirs.fields_by_number[field.number]
            assert (field.name, field.is_repeated) == (known.name, known.is_repeated)
            # An enum is an int32 on disk.
            assert field.type == known.type or (field.name, known.type) == ("none", known.TYPE_ENUM)
            assert (field.containing_oneof and field.containing_oneof.name) == (
                known.containing_oneof and known.containing_oneof.name
            )


def test_values_in_fields_of_their_type_are_read_as_those_in_json(tmp_path: Path) -> None:
    run = Record(num=1, run=wandb_internal_pb2.RunRecord(run_id="typed"))
    row = Record(num=2)
    for key, value in {"integer": -3, "number": 0.5, "boolean": True, "json": "[1]", "text": "NaN", "none": 0}.items():
        row.history.item.add(nested_key=["deep", key], **{key: value})
    with (tmp_path / "run-typed.wandb").open("wb") as file:
        write_log(file, [run, row])
    job = read_job(tmp_path / "run-typed.wandb")
    assert math.isnan(job.items[0].pop("deep.none"))  # as null is in JSON
    assert math.isnan(job.items[0].pop("deep.text"))
    assert job.items == [{"deep.integer": -3.0, "deep.number": 0.5, "deep.boolean": 1.0}]
    assert "1 keys hold no numbers and were left out (deep.json)" in job.problems[0]
