"""Tasks with scripts as the field writes them, for the tests of the slow path."""

from typing import Any

from ablation.tasks.task import Script, Task

TESTS = """\
from solution import double


def test_number():
    assert double(2) == 4


def test_text():
    assert double("a") == "aa"
"""
REFERENCE = "def double(x):\n    return x + x\n"
GOOD = "```python\ndef double(x):\n    return 2 * x\n```"
HALF = "```python\ndef double(x):\n    return x + x if x == 2 else x\n```"
BAD = "```python\ndef double(x):\n    return x\n```"

BY_EXIT_CODE = """\
#!/bin/bash
mkdir -p /logs/verifier
cd /app
python -m pytest /tests/test_outputs.py -rA
if [ $? -eq 0 ]; then
  echo 1 > /logs/verifier/reward.txt
else
  echo 0 > /logs/verifier/reward.txt
fi
"""
# Without pytest, which takes a while to start.
BY_IMPORT = """\
cd /app
python -S -c 'import solution; assert solution.double(2) == 4' && reward=1 || reward=0
echo $reward > /logs/verifier/reward.txt
"""
# What a plugin for pytest would do, which a task's image has and this Python may not.
CTRF_CONFTEST = """\
import json

OUTCOMES = {}


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        OUTCOMES[report.nodeid] = report.outcome


def pytest_sessionfinish():
    tests = [{"name": name, "status": status, "duration": 1} for name, status in OUTCOMES.items()]
    summary = {"tests": len(tests)}
    results = {"tool": {"name": "pytest"}, "summary": summary, "tests": tests}
    with open("/logs/verifier/ctrf.json", "w") as file:
        json.dump({"reportFormat": "CTRF", "specVersion": "0.0.0", "results": results}, file)
"""


def script_task(test_sh: str = BY_EXIT_CODE, folder: str = "/app", **changes: Any) -> Task:
    """A task whose verdict ``test_sh`` makes; ``changes`` to it, ``files`` beside the tests."""
    files = {"/tests/test.sh": test_sh, "/tests/test_outputs.py": TESTS, **changes.pop("files", {})}
    script = Script(folder, tuple(sorted(files.items())), 2048)
    fields = {"reference": REFERENCE, "timeout_s": 30.0, "script": script, **changes}
    return Task("double", "Write the function `double`.", "double", "", **fields)
