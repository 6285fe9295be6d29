"""What plain `python -m pytest` says of a module and its tests: the oracle for the project's own verifier."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PLUGIN = Path(__file__).resolve().parent / "outcome_plugin.py"
MEMORY_MB = 2048
COLLECTION = "<collection>"  # the key for what happened before any test was known
_WORST_LAST = ("passed", "skipped", "timeout", "failed", "error")


def outcomes(module: str, tests: str, timeout_s: float = 20.0) -> dict[str, str]:
    """Node id without the file name -> "passed", "failed", "error", "skipped" or "timeout".

    Xfailed and xpassed count as skipped; a strict xpass is pytest's "failed". A test that is interrupted by the
    timeout, or was not reached before it, is "timeout"; one lost because the process died is "error". Where the test
    file cannot be collected the only key is COLLECTION. Sources are written to a fresh folder each time.
    """
    with tempfile.TemporaryDirectory(prefix="oracle-") as name:
        root = Path(name)
        work, plugins, log = root / "work", root / "plugins", root / "outcomes.jsonl"
        work.mkdir()
        plugins.mkdir()
        (work / "solution.py").write_text(module, encoding="utf-8")
        (work / "test_solution.py").write_text(tests, encoding="utf-8")
        shutil.copy(PLUGIN, plugins)
        in_time = _run_pytest(work, plugins, log, timeout_s)
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return _read(lines, "error" if in_time else "timeout")


def many_outcomes(
    pairs: Iterable[tuple[str, str]], processes: int = 2, timeout_s: float = 20.0
) -> list[dict[str, str]]:
    """`outcomes` of every (module, tests), in order, with at most `processes` at once."""
    with ThreadPoolExecutor(processes) as threads:
        return list(threads.map(lambda pair: outcomes(pair[0], pair[1], timeout_s), pairs))


def _run_pytest(work: Path, plugins: Path, log: Path, timeout_s: float) -> bool:
    """Whether pytest ended in time; if not, it and what it started are killed."""
    # Fixed hashes: a mutant whose outcome hangs on the order of a set must answer the same each time.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(work),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": str(plugins),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "OUTCOME_FILE": str(log),
        "OUTCOME_MEMORY_MB": str(MEMORY_MB),
    }
    options = ["-q", "-p", PLUGIN.stem, "-p", "no:cacheprovider", "--rootdir", str(work)]
    options += ["--basetemp", str(work.parent / "tmp_path")]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "test_solution.py"],
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout_s)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def _read(lines: list[str], unfinished: str) -> dict[str, str]:
    """The worst that was said of each collected test; `unfinished` for tests whose teardown was not reported."""
    records = [json.loads(line) for line in lines]
    collected = [test for record in records for test in record.get("collected", [])]
    if any("uncollected" in record for record in records):
        return {COLLECTION: "error"}
    if not collected:
        return {COLLECTION: unfinished}
    worst: dict[str, str] = dict.fromkeys(collected, unfinished)
    finished = {record["id"] for record in records if record.get("when") == "teardown"}
    for test in finished & set(collected):
        said = [_outcome(record) for record in records if record.get("id") == test]
        worst[test] = max(said, key=_WORST_LAST.index)
    return worst


def _outcome(record: dict[str, str]) -> str:
    """A failure outside the test's own body is an "error", as in pytest's summary."""
    broken = record["outcome"] == "failed" and record["when"] != "call"
    return "error" if broken else record["outcome"]
