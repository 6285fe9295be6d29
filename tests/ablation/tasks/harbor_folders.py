"""Task folders as the field has them, written for the tests."""

from pathlib import Path

INSTRUCTION = "# Double\n\nWrite `double(x)` in `solution.py`, which returns twice its argument.\n"
TESTS = """\
import sys
sys.path.insert(0, "/app")
from solution import double


def test_number():
    assert double(2) == 4


def test_text():
    assert double("a") == "aa"
"""
REFERENCE = "def double(x):\n    return x + x\n"
SOLVE = f"#!/bin/bash\ncat > /app/solution.py << 'EOF'\n{REFERENCE}EOF\n"
TOML = """\
version = "1.0"

[metadata]
author_name = "anonymous"

[verifier]
timeout_sec = 15.0

[environment]
memory = "1G"
"""
# By trap, with pytest installed and its output kept.
TRAP = """\
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
if [ ! -f /app/solution.py ]; then
    for f in /app/*.py; do
        [ -f "$f" ] && cp "$f" /app/solution.py && break
    done
fi

echo "Running tests..."
pytest /tests/test_solution.py -v --tb=short 2>&1 | tee /logs/verifier/test_output.txt

exit ${PIPESTATUS[0]}
"""
# By exit code, with a report by a plugin that a tool fetches.
UVX = """\
#!/bin/bash

apt-get update
apt-get install -y curl

curl -LsSf https://example.org/uv/install.sh | sh
source $HOME/.local/bin/env

if [ "$PWD" = "/" ]; then
    echo "Error: no working directory set."
    exit 1
fi

uvx \\
  -p 3.13 \\
  -w pytest==8.4.1 \\
  -w pytest-json-ctrf==0.3.5 \\
  pytest --ctrf /logs/verifier/ctrf.json /tests/test_outputs.py -rA

if [ $? -eq 0 ]; then
  echo 1 > /logs/verifier/reward.txt
else
  echo 0 > /logs/verifier/reward.txt
fi
"""
# In another work folder.
WORKSPACE = """\
#!/bin/bash
set -Eeuo pipefail
cd /workspace
set +e
python -m pytest /tests/test_solution.py -v --tb=short -rA
exit_code=$?
set -e
if [ $exit_code -eq 0 ]; then
    echo "[TESTS PASSED]"
    echo 1 > /logs/verifier/reward.txt
else
    echo 0 > /logs/verifier/reward.txt
fi
exit 0
"""
UNITTEST = """\
#!/bin/bash
cd /app
if python3 -m unittest /tests/test_solution.py -v; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
"""


def write_task(root: Path, name: str = "double-0001", test_sh: str = TRAP, **files: str | None) -> Path:
    """Write a task folder; ``files`` by path with ``/`` as ``__`` and ``.`` as ``_dot_``, None: without it."""
    test_file = "test_outputs.py" if "test_outputs" in test_sh else "test_solution.py"
    content: dict[str, str | None] = {
        "task.toml": TOML,
        "instruction.md": INSTRUCTION,
        "environment/Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\n",
        "solution/solve.sh": SOLVE,
        "tests/test.sh": test_sh,
        f"tests/{test_file}": TESTS,
    }
    content |= {path.replace("__", "/").replace("_dot_", "."): text for path, text in files.items()}
    for path, text in content.items():
        if text is not None:
            place = root / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    return root / name
