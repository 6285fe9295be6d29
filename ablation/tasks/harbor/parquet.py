"""``tasks=harbor_parquet``: parquet files with a task folder a row, as ``path`` and ``task_binary``, a tar of it."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.config import TasksConfig
from ablation.tasks.harbor.archive import unpack
from ablation.tasks.harbor.task import make_task
from ablation.tasks.places import Place, find_files
from ablation.tasks.reading import Fault, Read, TaskError

PATH, BINARY = "path", "task_binary"
_ROWS = 64  # decoded at once
_BUFFER = 1 << 20  # bytes of a column that are read at once
_EXPECTED = f"expected parquet with a text column {PATH!r} and a binary column {BINARY!r}"


def read_tasks(config: TasksConfig) -> Iterator[Read | Fault]:
    """The tasks in the files at ``tasks.path``, row by row; rows count from 0. Raises ConfigError."""
    for place in find_files(config.path, (".parquet",)):
        row = 0
        try:
            for path, data in _rows(place):
                yield _read(f"{place.name} row {row}", path, data, config)
                row += 1
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            yield Fault(f"{place.name} from row {row} on", f"it cannot be read ({reason}); fetch or write it again")
        except TaskError as error:
            yield Fault(place.name, str(error))


def _rows(place: Place) -> Iterator[tuple[str | None, bytes | None]]:
    with pq.ParquetFile(place.path, buffer_size=_BUFFER) as file:
        kinds = {field.name: field.type for field in file.schema_arrow}
        if missing := [name for name in (PATH, BINARY) if name not in kinds]:
            raise TaskError(f"it has no column {' and no '.join(missing)}, but {', '.join(kinds)}; {_EXPECTED}")
        if not (_is_text(kinds[PATH]) and _is_binary(kinds[BINARY])):
            raise TaskError(f"its columns are {PATH}: {kinds[PATH]} and {BINARY}: {kinds[BINARY]}; {_EXPECTED}")
        for batch in file.iter_batches(_ROWS, columns=[PATH, BINARY]):
            yield from zip(batch.column(PATH).to_pylist(), batch.column(BINARY).to_pylist(), strict=True)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _read(where: str, path: str | None, data: bytes | None, config: TasksConfig) -> Read | Fault:
    task_id = (path or "").strip("/").removeprefix("./")
    if not task_id:
        return Fault(where, f"{PATH} is {path!r}, expected the name of a task's folder")
    if not data:
        return Fault(f"{where} ({task_id})", f"{BINARY} is empty, expected a tar of a task's folder")
    try:
        return make_task(where, task_id, unpack(data), config.max_timeout_s, config.slow_path)
    except TaskError as error:
        return Fault(f"{where} ({task_id})", str(error))
