"""A pytest plugin that appends what happened, line by line, to the file named by OUTCOME_FILE.

Lines are JSON: {"collected": [ids]}, {"uncollected": node id of the collector}, {"id", "when", "outcome"}. It imports
nothing of the project, because the oracle copies it beside the tests that it runs.
"""

import json
import os
import resource

import pytest

_MEMORY_LIMIT = int(os.environ["OUTCOME_MEMORY_MB"]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
_FILE = os.open(os.environ["OUTCOME_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _write(**line: object) -> None:
    os.write(_FILE, (json.dumps(line) + "\n").encode())


def _short(node_id: str) -> str:
    return node_id.partition("::")[2]


def pytest_collection_finish(session: pytest.Session) -> None:
    _write(collected=[_short(item.nodeid) for item in session.items])


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _write(uncollected=report.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # A passed or skipped subtest says nothing of its test; the test's own report follows.
    if type(report).__name__ == "SubtestReport" and not report.failed:
        return
    xfailed = hasattr(report, "wasxfail") and not report.failed
    _write(id=_short(report.nodeid), when=report.when, outcome="skipped" if xfailed else report.outcome)
