"""What loading 5,000 task folders from a parquet file costs, up to their splits: time and memory on one core.

The set is made here, in the layout that open-thoughts/OpenThoughts-Agent gives the tasks of pymethods2test:
instruction, task.toml, Dockerfile, test.sh that installs and runs pytest, tests of one function, and a solve.sh with
a here-document, each folder a gzipped tar with pax headers, all in one parquet file. Then ``tarfile`` alone reads the
same archives in this process, for comparison. Arguments: tasks (5000).
"""

import io
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ablation.tasks.katas import draw_kata, make_task

TASKS = 5000
CHILD = """
import resource, sys, time
started = time.perf_counter()
from ablation.config import TasksConfig
from ablation.tasks.load import load_every_task
imported = time.perf_counter()
config = TasksConfig(name="harbor_parquet", train=10**6, validation=10**6, test=10**6, path=sys.argv[1], strict=True)
splits = load_every_task(config)
ended = time.perf_counter()
assert all(task.reference and task.tests for task in splits.tasks)
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(len(splits.tasks), len(splits.test), imported - started, ended - started, time.process_time(), peak_mb)
"""
TOML = """\
version = "1.0"

[agent]
timeout_sec = 900.0

[metadata]
author_name = "Sandboxes"
difficulty = "medium"
category = "sandbox"
tags = ["sandbox"]

[verifier]
restart_environment = false
timeout_sec = 720.0
"""
DOCKERFILE = """\
FROM python:3.11-slim

WORKDIR /app

RUN apt-get update && apt-get install -y --no-install-recommends git build-essential && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir pytest numpy
"""
TEST_SH = """\
#!/bin/bash
set -e

mkdir -p /logs/verifier

cleanup() {
    if [ $? -eq 0 ]; then
        echo "1" > /logs/verifier/reward.txt
    else
        echo "0" > /logs/verifier/reward.txt
    fi
}
trap cleanup EXIT

cd /app
export PYTHONPATH="/app:${PYTHONPATH:-}"

# Setup
pip3 install --quiet pytest 2>/dev/null || true
# Some answers are called otherwise
if [ ! -f /app/solution.py ]; then
    for f in /app/*.py; do
        [ -f "$f" ] && cp "$f" /app/solution.py && break
    done
fi

echo "Running tests..."
pytest /tests/test_solution.py -v --tb=short 2>&1 | tee /logs/verifier/test_output.txt

exit ${PIPESTATUS[0]}
"""
ENDS = ("bel", "cor", "dan", "fen", "gil", "ham", "jet", "kin", "lot", "mus", "nor", "pal", "quo", "ras", "set", "tin")
WORDS = [start + end for start in ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu") for end in ENDS]


def folders(count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """(name, files) of tasks, each about a function of its own: some 2 kB of instruction and tests."""
    rng = random.Random(0)
    for number in range(count):
        kata = None
        while kata is None:
            kata = make_task(draw_kata(rng), "", rng)
        name = f"{kata.entry_point}_{rng.choice(WORDS)}_{rng.choice(WORDS)}"
        reference = (kata.reference or "").replace(f"def {kata.entry_point}(", f"def {name}(")
        said = " ".join(rng.choice(WORDS) for _ in range(rng.randint(60, 160)))
        tests = f"import pytest\nimport sys\nsys.path.insert(0, '/app')\nfrom solution import {name}\n\n\n"
        tests += f"class Test{name.title().replace('_', '')}:\n"
        for call in re.findall(r"assert \w+(.*)", kata.tests):
            about = "_".join(rng.choice(WORDS) for _ in range(3))
            arguments, _, expected = call.rpartition(" == ")
            tests += f"    def test_{about}(self):\n        # {' '.join(rng.choice(WORDS) for _ in range(6))}\n"
            tests += f"        {about} = {name}{arguments}\n        assert {about} == {expected}\n\n"
        yield (
            f"pymethods2test-{number:04d}",
            {
                "instruction.md": f"# Task: {name}\n\n{kata.prompt}\nWrite `{name}` in `/app/solution.py`.\n\n{said}\n",
                "task.toml": TOML,
                "environment/Dockerfile": DOCKERFILE,
                "tests/test.sh": TEST_SH,
                "tests/test_solution.py": tests,
                "solution/solve.sh": f"#!/bin/bash\nset -e\ncat > /app/solution.py << 'EOF'\n{reference}EOF\n",
                "metadata.json": f'{{\n  "source": "pymethods2test",\n  "path": "{name}.py"\n}}',
            },
        )


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in ("environment/", "tests/", "solution/", *files):
            entry = tarfile.TarInfo(name)
            entry.mtime = 1767225600.25  # type: ignore[assignment]  # with a fraction, as files have it
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            content = files.get(name, "").encode()
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def by_tarfile(archives: list[bytes]) -> float:
    started = time.perf_counter()
    for data in archives:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            for member in tar:
                if (file := tar.extractfile(member)) is not None:
                    file.read()
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TASKS
    with tempfile.TemporaryDirectory() as scratch:
        rows = [(name, packed(files)) for name, files in folders(count)]
        path = Path(scratch) / "tasks.parquet"
        pq.write_table(pa.table({"path": [row[0] for row in rows], "task_binary": [row[1] for row in rows]}), path)
        print(f"{count:,} tasks in {path.stat().st_size / 1e6:.1f} MB of parquet")
        ended = subprocess.run(
            [sys.executable, "-c", CHILD, str(path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=scratch,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        if ended.returncode:
            raise SystemExit(ended.stderr)
        loaded, test, imports_s, seconds, cpu_s, peak_mb = map(float, ended.stdout.split())
        print(f"loaded {loaded:,.0f} ({test:,.0f} for test) in {seconds:.2f} s, {imports_s:.2f} s of it imports")
        print(f"{cpu_s:.2f} s of processor time, start of Python included")
        print(f"peak memory {peak_mb:.0f} MB")
        print(f"tarfile alone, of the same archives: {by_tarfile([row[1] for row in rows]):.2f} s")


if __name__ == "__main__":
    main()
