"""Parquet files of task folders: good rows are kept, everything else is named by file, row and field."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harbor_archives import folder_files, member, packed, write_rows
from harbor_folders import REFERENCE, TESTS

from ablation.config import ConfigError, TasksConfig
from ablation.tasks.harbor import load as folders
from ablation.tasks.harbor.parquet import read_tasks
from ablation.tasks.load import load_every_task
from ablation.tasks.reading import Found, collect


def config(path, /, **changes) -> TasksConfig:
    base = {"name": "harbor_parquet", "train": 100, "validation": 10, "test": 10, "path": str(path)}
    return TasksConfig(**{**base, **changes})


def find(path, **changes) -> Found:
    return collect(read_tasks(config(path, **changes)), strict=False)


@pytest.fixture
def good(tmp_path) -> bytes:
    return packed(folder_files(tmp_path / "folders"))


def test_rows_are_the_tasks_that_their_folders_are(tmp_path, good):
    folder_files(tmp_path / "folders", name="double-0002")
    path = write_rows(tmp_path / "set" / "tasks.parquet", [("double-0001", good), ("double-0002", good)])
    found = find(path)
    assert (found.left_out, found.without_reference) == ({}, {})
    assert found.tasks == collect(folders.read_tasks(config(tmp_path / "folders")), strict=True).tasks
    assert (found.tasks[0].tests, found.tasks[0].reference) == (TESTS, REFERENCE)


def test_files_are_read_in_order_over_batches_and_row_groups_from_a_folder_or_a_glob(tmp_path, good):
    names = [f"t{n:03d}" for n in range(300)]
    for part in range(3):
        rows = [(name, good) for name in names[100 * part : 100 * part + 100]]
        write_rows(tmp_path / "set" / "data" / f"train-{part}.parquet", rows, row_group_size=7)
    (tmp_path / "set" / "README.md").write_text("no data")
    assert [task.task_id for task in find(tmp_path / "set").tasks] == names
    assert [task.task_id for task in find(f"{tmp_path}/set/*/train-[12].parquet").tasks] == names[100:]


def test_bad_rows_are_left_out_by_file_row_and_field(tmp_path, good):
    broken = folder_files(tmp_path / "folders", task_dot_toml="[verifier\n")
    rows = [
        ("good", good),
        (None, good),
        ("empty", b""),
        ("link", packed({}, "w:gz", 2, member("tests/a", b"2", "/etc/passwd"))),
        ("cut", good[: len(good) // 2]),
        ("toml", packed(broken)),
        ("nothing", packed({"README.md": ""})),
        ("good", good),
        ("sub/good", good),
    ]
    path = write_rows(tmp_path / "tasks.parquet", rows)
    found = find(path)
    assert [task.task_id for task in found.tasks] == ["good", "sub/good"]
    for (where, why), (row, words) in zip(
        found.left_out.items(),
        {
            "row 1": "path is None",
            "row 2 (empty)": "task_binary is empty",
            "row 3 (link)": "a link, 'tests/a'",
            "row 4 (cut)": "task_binary ends in the middle",
            "row 5 (toml)": "task.toml does not parse",
            "row 6 (nothing)": "instruction.md is missing",
            "row 7": "its task_id 'good' is already that of",
        }.items(),
        strict=True,
    ):
        assert where == f"{path} {row}"
        assert words in why


def test_a_file_that_is_cut_or_none_or_lacks_a_column_is_named_and_the_others_are_read(tmp_path, good):
    path = write_rows(tmp_path / "a.parquet", [("one", good)])
    (tmp_path / "b.parquet").write_bytes(path.read_bytes()[:-200])
    pq.write_table(pa.table({"path": ["x"], "binary": [b"y"]}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"path": [1], "task_binary": ["y"]}), tmp_path / "d.parquet")
    found = find(tmp_path)
    assert [task.task_id for task in found.tasks] == ["one"]
    assert list(found.left_out) == [
        f"{tmp_path}/b.parquet from row 0 on",
        f"{tmp_path}/c.parquet",
        f"{tmp_path}/d.parquet",
    ]
    cut, lacking, other = found.left_out.values()
    assert "cannot be read" in cut
    assert "it has no column task_binary, but path, binary" in lacking
    assert "path: int64 and task_binary: string" in other


def test_a_file_whose_middle_is_damaged_keeps_the_rows_before(tmp_path, good):
    path = write_rows(tmp_path / "a.parquet", [(f"t{n}", good) for n in range(200)], row_group_size=64)
    data = bytearray(path.read_bytes())
    middle = pq.ParquetFile(path).metadata.row_group(2).column(1).data_page_offset
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(bytes(data))
    found = find(path)
    assert len(found.tasks) == 128
    assert list(found.left_out) == [f"{path} from row 128 on"]


def test_strict_makes_the_first_fault_an_error(tmp_path, good):
    path = write_rows(tmp_path / "tasks.parquet", [("good", good), ("empty", b""), (None, good)])
    with pytest.raises(ConfigError, match=r"tasks\.parquet row 1 \(empty\): task_binary is empty"):
        load_every_task(config(path, strict=True))


@pytest.mark.parametrize(
    ("name", "words"),
    [("absent.parquet", "No such file"), ("*.parquet", "matches nothing"), (".", "holds no file that can be read")],
)
def test_places_without_a_file_are_refused_with_what_was_expected(tmp_path, name, words):
    with pytest.raises(ConfigError, match=words) as refusal:
        load_every_task(config(tmp_path / name))
    assert "hf://datasets/ORG/NAME" in str(refusal.value)


def test_an_empty_file_holds_no_task(tmp_path):
    with pytest.raises(ConfigError, match="holds no task that can be used"):
        load_every_task(config(write_rows(tmp_path / "tasks.parquet", [])))
