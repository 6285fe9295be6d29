"""Scripts of tasks, really run: what they say becomes the verdict, and nothing of them is left."""

import dataclasses
import gc
import json
import os
import re
from pathlib import Path

import psutil
import pytest
from script_task import BAD, BY_EXIT_CODE, BY_IMPORT, CTRF_CONFTEST, GOOD, HALF, REFERENCE, script_task

from ablation.scoring.evaluator.execution import Execution
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.script import namespace
from ablation.scoring.script.grade import Scripts, UnsupportedScriptError, grade_script, prepare_script, run_script
from ablation.scoring.script.namespace import NamespaceError
from ablation.scoring.script.solution import solve
from ablation.scoring.script.untrusted import read_plain
from ablation.tasks.task import Task

pytestmark = pytest.mark.skipif(
    namespace.fault() is not None and "bubblewrap" not in os.environ.get("ABLATION_REQUIRE", ""),
    reason=namespace.fault() or "",
)
SECONDS = str(1_000_000 + os.getpid())  # to sleep: an argument that only the processes of this run have
WITHOUT_END = f"echo 1 > /logs/verifier/reward.txt\ngrep -q forever /app/solution.py && sleep {SECONDS}\nexit 0\n"
ODD_BYTES = {"/tests/data.bin": b"\xff\x00".decode(errors="surrogateescape")}


def graded(completion: str, task: Task) -> Execution:
    return grade_script(prepare_script(task), completion)


def fenced(*parts: str) -> str:
    return "\n".join(["```python", *parts, "```"])


def sleepers() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", SECONDS]]


def test_the_reference_is_run_and_says_what_is_expected():
    assert prepare_script(script_task()).expected == ("reward",)


@pytest.mark.parametrize(("completion", "outcome"), [(GOOD, "passed"), (BAD, "failed"), (HALF, "failed")])
def test_a_reward_decides(completion, outcome):
    execution = graded(completion, script_task())
    assert (execution.status, execution.tests) == ("scored", {"reward": outcome})


def test_the_work_folder_is_the_tasks():
    assert graded(GOOD, script_task(BY_EXIT_CODE.replace("/app", "/workspace"), "/workspace")).tests == {
        "reward": "passed"
    }


def test_a_report_gives_partial_credit():
    execution = graded(HALF, script_task(files={"/tests/conftest.py": CTRF_CONFTEST}))
    assert [name.rpartition("::")[2] for name in execution.tests] == ["test_number", "test_text"]
    assert list(execution.tests.values()) == ["passed", "failed"]


def test_a_report_is_enough_without_a_reward():
    task = script_task("python -m pytest /tests/test_outputs.py\n", files={"/tests/conftest.py": CTRF_CONFTEST})
    assert list(graded(GOOD, task).tests.values()) == ["passed", "passed"]
    assert list(graded(HALF, task).tests.values()) == ["passed", "failed"]


def test_rewards_in_json_are_tests_of_their_own():
    test_sh = """\
python - <<'END'
import json, solution
right = {"number": float(solution.double(2) == 4), "text": float(solution.double("a") == "aa")}
json.dump(right, open("/logs/verifier/reward.json", "w"))
END
"""
    assert graded(HALF, script_task(test_sh)).tests == {"number": "passed", "text": "failed"}


@pytest.mark.parametrize(
    ("completion", "status"),
    [
        ("", "no_code"),
        (fenced("def double(x:"), "syntax_error"),
        (fenced("import sys", "sys.exit(3)", REFERENCE), "scored"),
    ],
)
def test_a_candidate_without_merit_scores_nothing(completion, status):
    execution = graded(completion, script_task())
    assert execution.status == status
    assert "passed" not in execution.tests.values()


def test_a_script_without_end_is_ended():
    execution = graded(fenced("# forever", REFERENCE), script_task(WITHOUT_END, timeout_s=3.0))
    assert (execution.status, execution.tests) == ("timeout", {"reward": "timeout"})
    assert sleepers() == []


def test_a_daemon_does_not_outlive_its_script():
    test_sh = f"setsid sleep {SECONDS} & disown\nsetsid -f sleep {SECONDS}\n" + BY_EXIT_CODE
    assert graded(GOOD, script_task(test_sh)).tests == {"reward": "passed"}
    assert sleepers() == []


def test_a_candidate_that_prevents_the_reward_is_to_blame():
    test_sh = "set -e\ncd /app\npython -m pytest /tests/test_outputs.py\necho 1 > /logs/verifier/reward.txt\n"
    execution = graded(BAD, script_task(test_sh))
    assert (execution.status, execution.tests) == ("crashed", {"reward": "missing"})


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (script_task("exit 0\n"), "reference does not earn a reward of 1"),
        (script_task(reference="def double(x):\n    return 0\n"), "reference does not earn a reward of 1"),
        (script_task("echo much > /logs/verifier/reward.txt\n"), "reward.txt cannot be read"),
        (script_task("echo nan > /logs/verifier/reward.txt\n"), "reward.txt cannot be read"),
        (script_task("echo 0.5 > /logs/verifier/reward.txt\n"), "reward 0.5"),
        (script_task(WITHOUT_END, reference="# forever", timeout_s=2.0), "does not end within 2 s"),
        (script_task("exit 0\n", reference=None), "without a reference"),
        (script_task("set -e\npip install nosuchpackage\n" + BY_EXIT_CODE), "nosuchpackage"),
        (script_task(folder="/usr/src/app"), "namespace could not be made"),
    ],
)
def test_a_task_that_shows_no_reward_is_unsupported(task, words):
    with pytest.raises(UnsupportedScriptError, match=words):
        prepare_script(task)


def test_without_a_reference_the_reward_alone_is_expected():
    task = script_task(reference=None, files={"/tests/conftest.py": CTRF_CONFTEST})
    assert graded(GOOD, task).tests == {"reward": "passed"}
    assert graded(BAD, task).tests == {"reward": "failed"}


def test_tests_cannot_be_changed_and_there_is_no_network():
    attempts = """\
import socket
from pathlib import Path

for path in ("/tests/test_outputs.py", "/tests/test.sh", "/tests/new", "/usr/bin/forged", "/etc/forged", "/forged"):
    try:
        Path(path).write_text("def test_number(): pass\\ndef test_text(): pass\\n")
        print("CHANGED", path)
    except OSError:
        print("REFUSED", path)
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    print("NETWORK", error.errno)
"""
    prepared = prepare_script(script_task(BY_EXIT_CODE.replace("-rA", "-s")))
    found = run_script(prepared, fenced(attempts, "def double(x):", "    return x"))
    assert (found.log.count("REFUSED"), found.log.count("CHANGED")) == (6, 0)
    assert "NETWORK 101" in found.log  # unreachable
    assert found.report.reward == 0


def test_a_reward_written_during_the_tests_is_overwritten_by_the_script():
    forge = "open('/logs/verifier/reward.txt', 'w').write('1')"
    assert graded(fenced(forge, "def double(x):", "    return x"), script_task()).tests == {"reward": "failed"}


def test_the_guarantee_is_weaker_whoever_ends_pytest_with_success_is_paid():
    leave = fenced("import os", "def double(x):", "    os._exit(0)")
    assert graded(leave, script_task()).tests == {"reward": "passed"}
    reported = script_task(files={"/tests/conftest.py": CTRF_CONFTEST})
    assert set(graded(leave, reported).tests.values()) == {"missing"}  # unless each test has to report


def test_a_report_that_the_reward_contradicts_is_not_paid():
    names = ("number", "text")
    forged = {"results": {"tests": [{"name": f"test_outputs.py::test_{name}", "status": "passed"} for name in names]}}
    test_sh = f"""\
python -m pytest /tests/test_outputs.py && reward=1 || reward=0
echo '{json.dumps(forged)}' > /logs/verifier/ctrf.json
echo $reward > /logs/verifier/reward.txt
"""
    assert set(graded(GOOD, script_task(test_sh)).tests.values()) == {"passed"}
    assert set(graded(BAD, script_task(test_sh)).tests.values()) == {"failed"}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_reward_that_is_no_plain_file_does_not_count(kind, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("1")
    make = {
        "link": f"os.symlink({str(outside)!r}, path)",
        "pipe": "os.mkfifo(path)",
        "folder": "os.mkdir(path)",
    }[kind]
    test_sh = "python -c 'import solution'\n[ -e /logs/verifier/made ] || echo 1 > /logs/verifier/reward.txt\n"
    hostile = ["import os", "path = '/logs/verifier/reward.txt'", make, "os.mkdir('/logs/verifier/made')"]
    execution = graded(fenced(*hostile, "def double(x):", "    return x"), script_task(test_sh))
    assert (execution.status, execution.tests) == ("crashed", {"reward": "missing"})


def test_only_plain_files_of_a_bounded_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_bytes(b"12345")
    (tmp_path / "there").symlink_to("here")
    found = [read_plain(tmp_path, name, 5) for name in ("pipe", "here", "there/file", "here/file")]
    assert found == [None, None, None, b"12345"]
    assert read_plain(tmp_path, "here/file", 4) is None


def test_only_the_end_of_a_long_log_is_kept():
    test_sh = "yes | head -c 3000000\necho at the end\necho 1 > /logs/verifier/reward.txt\n"
    found = run_script(prepare_script(script_task(test_sh)), GOOD)
    assert found.log.startswith("(2,9")
    assert found.log.endswith("at the end\n")
    assert len(found.log) < 40_000
    assert "Broken pipe" not in found.log  # signals are a program's own, as Python does not leave them


def test_a_log_is_what_the_script_printed():
    found = run_script(
        prepare_script(script_task("echo one; echo two >&2\necho 1 > /logs/verifier/reward.txt\n")), GOOD
    )
    assert found.log == "one\ntwo\n"


def test_neither_this_package_nor_the_users_variables_can_be_seen(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_USER", "hidden")
    look = "try:\n    import ablation.tasks\n    print('IMPORTED')\nexcept ImportError:\n    pass\n"
    look += f"import os\nprint('SEEN', os.path.exists({__file__!r}), dict(os.environ))"
    prepared = prepare_script(script_task(BY_EXIT_CODE.replace("-rA", "-s")))
    log = run_script(prepared, fenced(look, REFERENCE)).log
    assert "SEEN False" in log
    assert "IMPORTED" not in log
    assert "SECRET_OF_THE_USER" not in log


def test_nothing_of_a_run_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    prepared = prepare_script(script_task())
    gc.collect()  # what earlier tests left open must not be closed meanwhile
    before = len(list(Path("/proc/self/fd").iterdir()))
    hostile = ["import os", "os.makedirs('/app/x/y')", "os.chmod('/app/x', 0)"]
    assert grade_script(prepared, fenced(*hostile, REFERENCE)).tests == {"reward": "passed"}
    assert list(Path(tmp_path).iterdir()) == []
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_task_is_prepared_once_and_so_is_the_reason_why_it_cannot_be(tmp_path):
    scripts, broken = Scripts(tmp_path), script_task("exit 0\n")
    assert scripts.prepare(script_task()) is scripts.prepare(script_task())
    with pytest.raises(UnsupportedScriptError) as first:
        scripts.prepare(broken)
    tmp_path.chmod(0)
    tmp_path.rmdir()  # another run would fail otherwise
    with pytest.raises(UnsupportedScriptError, match=re.escape(str(first.value))):
        scripts.prepare(broken)


def test_a_task_with_a_script_survives_the_trip_to_a_worker():
    task = script_task(files=ODD_BYTES)
    there = Task(**json.loads(json.dumps(vars(task))))
    assert (there, hash(there)) == (task, hash(task))
    assert json.dumps(dataclasses.asdict(there)) == json.dumps(dataclasses.asdict(task))


def test_files_arrive_byte_for_byte():
    check = "od -An -tx1 /tests/data.bin | grep -qx ' ff 00' && echo 1 > /logs/verifier/reward.txt\n"
    assert prepare_script(script_task(check, files=ODD_BYTES)).gives_reward


def test_folders_nested_deeper_than_python_recurses_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dig = "import os\nfor _ in range(1200):\n    os.mkdir('d')\n    os.chdir('d')\n"
    prepared = prepare_script(script_task(BY_IMPORT, reference=f"{dig}{REFERENCE}"))
    assert grade_script(prepared, fenced(dig, REFERENCE)).tests == {"reward": "passed"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/tests/test.sh/inner", f"/app/{'n' * 300}", "/app/a\0b", "/app/../../out", "/else"])
def test_a_file_without_a_place_makes_a_task_unsupported(path):
    with pytest.raises(UnsupportedScriptError, match=r"cannot be written|outside of the folders"):
        prepare_script(script_task(BY_IMPORT, files={path: "x"}))


def test_a_solution_with_a_file_without_a_place_leaves_no_module():
    script = script_task().script
    assert script is not None
    with pytest.raises(NamespaceError, match="cannot be written"):
        solve(script, [("solve.sh", "true"), ("solve.sh/inner", "")], "solution", 5.0)


def test_a_script_past_its_deadline_costs_no_worker():
    with ScoringPool() as pool:
        task = script_task(WITHOUT_END, timeout_s=3.0)
        late, good = pool.score([Submission(task, fenced("# forever", REFERENCE)), Submission(task, GOOD)])
    assert (late.status, late.detail, dict(late.tests)) == ("timeout", "the deadline passed", {"reward": "timeout"})
    assert good.solved


def test_a_script_that_hides_what_it_writes_deeper_than_a_path_is_long_is_ended():
    hide = "for _ in range(17):\n    os.mkdir('n' * 250)\n    os.chdir('n' * 250)\n"
    source = fenced("import os, time", hide, "time.sleep(9)", REFERENCE)
    execution = graded(source, script_task(BY_IMPORT))
    assert (execution.status, execution.tests) == ("violation", {"reward": "error"})
    assert execution.detail == "it wrote more than 2048 MiB or 50,000 files"


def test_memory_holds_no_files_of_a_script():
    look = "import os\nprint('ON', {os.stat(place).st_dev == os.stat('/app').st_dev for place in ('/dev/shm', '/tmp')})"
    forge = "try:\n    open('/dev/new', 'w')\nexcept OSError as error:\n    print('REFUSED', error.errno)"
    log = run_script(prepare_script(script_task(BY_IMPORT)), fenced(look, forge, REFERENCE)).log
    assert "ON {True}" in log
    assert "REFUSED 30" in log  # read-only
