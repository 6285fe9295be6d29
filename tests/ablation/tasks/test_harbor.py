"""Harbor's folders become tasks: what is asked, how it is tested, and what solves it."""

import os

import pytest
from harbor_folders import INSTRUCTION, REFERENCE, SOLVE, TESTS, TRAP, UNITTEST, UVX, WORKSPACE, write_task

from ablation.config import ConfigError, TasksConfig
from ablation.scoring.pool import ScoringPool, Submission
from ablation.scoring.script import namespace
from ablation.scoring.script.grade import grade_script, prepare_script
from ablation.tasks.harbor.load import read_tasks
from ablation.tasks.load import load_every_task, load_tasks
from ablation.tasks.reading import Found, collect
from ablation.tasks.task import Task

needs_bubblewrap = pytest.mark.skipif(
    namespace.fault() is not None and "bubblewrap" not in os.environ.get("ABLATION_REQUIRE", ""),
    reason=namespace.fault() or "",
)
FENCED = f"```python\n{REFERENCE}```"
RUN_SOLVE = (
    "#!/bin/bash\npython3 - <<'EOF'\nopen('/app/solution.py', 'w').write('def double(x):\\n    return 2 * x\\n')\nEOF\n"
)
REPORTED = "\ncp /logs/verifier/reward.txt /logs/verifier/copy.txt\n"  # one command too many to be certain


def config(path, /, **changes) -> TasksConfig:
    return TasksConfig(**{"name": "harbor", "train": 100, "validation": 10, "test": 10, "path": str(path), **changes})


def find(path, **changes) -> Found:
    return collect(read_tasks(config(path, **changes)), strict=False)


def only(found: Found) -> Task:
    assert not found.left_out
    (task,) = found.tasks
    return task


def read(tmp_path, slow_path: bool = False, **options) -> Task:
    write_task(tmp_path, **options)
    return only(find(tmp_path, slow_path=slow_path))


@pytest.mark.parametrize("test_sh", [TRAP, UVX, WORKSPACE, UNITTEST])
def test_tests_that_stand_alone_are_run_without_the_script(tmp_path, test_sh):
    task = read(tmp_path, test_sh=test_sh)
    assert (task.tests, task.script) == (TESTS, None)
    assert (task.task_id, task.prompt, task.reference) == ("double-0001", INSTRUCTION, REFERENCE)
    assert (task.module, task.entry_point, task.timeout_s) == ("solution", "double", 15.0)


@pytest.mark.parametrize(
    "test_sh",
    [
        TRAP.replace("-v --tb", "-k number --tb"),
        TRAP.replace("-v --tb", "-knumber --tb"),
        TRAP.replace("-v --tb", "-k number -k text --tb"),
        UNITTEST.replace("unittest /tests/test_solution.py", "unittest discover -s /tests"),
        TRAP.replace("pytest /tests/test_solution.py", "pytest /tests/test_solution.py /tests/test_solution.py"),
        TRAP.replace("# Setup", "cp /tests/data.json /app/"),
        TRAP.replace("# Setup", "python3 /tests/prepare.py"),
        TRAP.replace("# Setup", "export MODE=hard"),
        TRAP.replace("# Setup", "sed -i s/2/3/ /app/solution.py"),
        TRAP.replace("# Setup", "X=$(whoami)"),
        TRAP.replace("# Setup", "echo 1 > /app/solution.py"),
        TRAP.replace("# Setup", "source /tests/setup.sh"),
        "python3 /app/solution.py | diff - /tests/expected && echo 1 > /logs/verifier/reward.txt\n",
        "pytest /tests && echo 1 > /logs/verifier/reward.txt\n",
    ],
)
def test_any_other_script_has_to_run_itself(tmp_path, test_sh):
    task = read(tmp_path, test_sh=test_sh)
    assert task.tests == ""
    assert task.script is not None
    assert not task.script.fallback
    assert dict(task.script.files)["/tests/test.sh"] == test_sh


def test_a_file_beside_the_tests_keeps_them_with_their_script(tmp_path):
    task = read(tmp_path, tests__conftest_dot_py="import pytest\n")
    assert task.tests == ""
    assert task.script is not None


def test_the_script_is_kept_as_a_fallback_on_demand(tmp_path):
    task = read(tmp_path, slow_path=True)
    assert task.tests == TESTS
    assert task.script is not None
    assert task.script.fallback


def test_work_folder_memory_and_copied_files_come_from_the_task(tmp_path):
    dockerfile = (
        "FROM python:3.11\nWORKDIR /tmp\nWORKDIR /workspace\nCOPY data/ ./data\nCOPY helper.py .\nCOPY x /opt/x\n"
    )
    files = {"environment__Dockerfile": dockerfile, "environment__data__a_dot_csv": "1,2\n"}
    files |= {"environment__helper_dot_py": "ONE = 1\n", "environment__x": "not in the work folder"}
    script = read(tmp_path, slow_path=True, **files).script
    assert script is not None
    assert (script.folder, script.memory_mb) == ("/workspace", 1024)
    assert [path for path, _ in script.files if not path.startswith("/tests/")] == [
        "/workspace/data/a.csv",
        "/workspace/helper.py",
    ]


@pytest.mark.parametrize(
    "solution",
    [
        {"solution__solve_dot_sh": SOLVE},
        {"solution__solve_dot_sh": f"set -e\ncd /app\ncat <<EOF >solution.py\n{REFERENCE}EOF\necho done\n"},
        {"solution__solve_dot_sh": SOLVE.replace("cat", "mkdir -p /app && cat")},
        {"solution__solve_dot_sh": "cp /solution/right.py /app/solution.py\n", "solution__right_dot_py": REFERENCE},
        {"solution__solve_dot_sh": None, "solution__solution_dot_py": REFERENCE},
    ],
)
def test_a_solution_that_says_what_it_writes_is_not_run(tmp_path, solution, monkeypatch):
    monkeypatch.setattr(namespace, "fault", lambda: pytest.fail("a namespace was asked for"))
    assert read(tmp_path, **solution).reference == REFERENCE


@needs_bubblewrap
def test_another_solution_is_run_in_a_namespace(tmp_path):
    assert read(tmp_path, solution__solve_dot_sh=RUN_SOLVE).reference == "def double(x):\n    return 2 * x\n"


def test_a_solution_that_cannot_be_run_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(namespace, "fault", lambda: "no bubblewrap here")
    write_task(tmp_path, solution__solve_dot_sh=RUN_SOLVE + "# not seen before\n")
    found = find(tmp_path)
    assert [task.reference for task in found.tasks] == [None]
    assert found.without_reference == {"double-0001": "no bubblewrap here"}


def test_a_task_may_ship_no_solution(tmp_path):
    write_task(tmp_path, solution__solve_dot_sh=None)
    found = find(tmp_path)
    assert ([task.reference for task in found.tasks], found.without_reference) == ([None], {})


def test_the_module_is_what_the_tests_import_and_the_task_lacks(tmp_path):
    tests = "import json\nimport helper\nfrom shop.cart import Cart\ndef test_a():\n    assert Cart()\n"
    solve = "mkdir -p /app/shop\ncat > /app/shop/cart.py <<'EOF'\nclass Cart:\n    pass\nEOF\n"
    files = {"tests__test_solution_dot_py": tests, "solution__solve_dot_sh": solve, "tests__helper_dot_py": "x = 1\n"}
    task = read(tmp_path, **files)
    assert (task.module, task.entry_point, task.reference) == ("shop.cart", "Cart", "class Cart:\n    pass\n")


def test_what_comes_with_the_task_is_not_the_candidates_module(tmp_path):
    tests = "from helper import ONE\nfrom doubling import double\ndef test_a():\n    assert double(ONE) == 2\n"
    files = {"tests__test_solution_dot_py": tests, "tests__helper_dot_py": "ONE = 1\n", "solution__solve_dot_sh": None}
    task = read(tmp_path, **files)
    assert (task.module, task.entry_point) == ("doubling", "double")


@pytest.mark.parametrize(
    ("toml", "limits"),
    [
        ("", (600.0, 2048)),  # Harbor's own defaults
        ("[agent]\ntimeout_sec = 900.0\n[verifier]\ntimeout_sec = 30\n", (30.0, 2048)),
        ("    [environment]\n    memory_mb = 4096\n    cpus = 2\n    storage_mb = 10240\n", (600.0, 4096)),
        ('[environment]\nmemory = "512 MiB"\n', (600.0, 512)),
        ('[environment]\nmemory = "2G"\n', (600.0, 2048)),
    ],
)
def test_time_and_memory_come_from_the_task(tmp_path, toml, limits):
    task = read(tmp_path, slow_path=True, task_dot_toml=toml)
    assert task.script is not None
    assert (task.timeout_s, task.script.memory_mb) == limits


def test_without_a_reference_the_expected_tests_are_those_that_are_collected(tmp_path):
    write_task(tmp_path, solution__solve_dot_sh=None)
    task = only(find(tmp_path))
    half = "```python\ndef double(x):\n    return 4\n```"
    with ScoringPool() as pool:
        solved, partly = pool.score([Submission(task, FENCED), Submission(task, half)])
    assert (solved.solved, partly.tests) == (True, {"test_number": "passed", "test_text": "failed"})


def test_a_bound_on_time_is_kept(tmp_path):
    write_task(tmp_path)
    assert only(find(tmp_path, max_timeout_s=3.0)).timeout_s == 3.0


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"instruction_dot_md": None}, "instruction.md is missing"),
        ({"tests__test_dot_sh": " \n"}, "tests/test.sh is missing or empty"),
        ({"tests__test_dot_sh": "python3 /app/solution.py | diff - /tests/expected\n"}, "in an unknown style"),
        ({"task_dot_toml": "[verifier\n"}, "task.toml does not parse"),
        ({"task_dot_toml": "[verifier]\ntimeout_sec = 'long'\n"}, "expected seconds"),
        ({"task_dot_toml": "verifier = 1\n"}, "expected a section"),
        ({"task_dot_toml": "[environment]\nmemory = 'much'\n"}, "expected 64 MB"),
        ({"tests__test_solution_dot_py": "import nosuch_a\nimport nosuch_b\n"}, "nosuch_a, nosuch_b"),
        (
            {"tests__test_solution_dot_py": "def test_a(): pass\n", "solution__solve_dot_sh": None},
            "what the candidate must define",
        ),
    ],
)
def test_a_bad_folder_is_left_out_and_named(tmp_path, files, words):
    write_task(tmp_path, "good")
    write_task(tmp_path, "odd", **files)
    found = find(tmp_path)
    assert [task.task_id for task in found.tasks] == ["good"]
    assert words in found.left_out["odd"]


def test_folders_of_a_glob_are_told_apart_and_of_one_name_the_first_stays(tmp_path):
    for part in ("a", "b"):
        write_task(tmp_path / part)
    write_task(tmp_path / "b", "other")
    found = find(tmp_path / "?")
    assert [task.task_id for task in found.tasks] == ["double-0001", "other"]
    (where,) = found.left_out
    assert where == f"{tmp_path}/b/double-0001"
    assert found.left_out[where].endswith(f"is already that of {tmp_path}/a/double-0001")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_text("x")
    folder = write_task(tmp_path / "set")
    (folder / "tests" / "data").symlink_to(tmp_path / "secret")
    assert "link to a place outside" in find(tmp_path / "set").left_out["double-0001"]


def test_the_reference_solves_by_its_tests_and_an_empty_answer_does_not(tmp_path):
    task = read(tmp_path)
    with ScoringPool() as pool:
        solved, empty = pool.score([Submission(task, FENCED), Submission(task, "```python\n```")])
    assert (solved.solved, list(solved.tests)) == (True, ["test_number", "test_text"])
    assert (empty.status, empty.solved) == ("no_code", False)


@needs_bubblewrap
@pytest.mark.parametrize("test_sh", [TRAP, WORKSPACE])
def test_the_reference_solves_by_its_script_and_an_empty_answer_does_not(tmp_path, test_sh):
    files = {}
    if test_sh is WORKSPACE:
        files = {"environment__Dockerfile": "FROM x\nWORKDIR /workspace\n"}
        files["solution__solve_dot_sh"] = SOLVE.replace("/app", "/workspace")
    task = read(tmp_path, test_sh=test_sh.replace("exit 0", REPORTED), tests__extra_dot_txt="", **files)
    assert task.tests == ""
    prepared = prepare_script(task)
    assert grade_script(prepared, FENCED).tests == {"reward": "passed"}
    assert grade_script(prepared, "```python\n\n```").tests == {"reward": "missing"}
    assert grade_script(prepared, "```python\ndouble = None\n```").tests == {"reward": "failed"}


# A program that tests without pytest and says more than a reward, called as a bare python in a folder of its own.
OWN_VERDICTS = """\
#!/bin/bash
cd /srv/project
python /tests/verify.py
"""
VERIFY = """\
import json
import sys

sys.path.insert(0, "/srv/project")
import doubling

results = {"number": float(doubling.double(2) == 4), "text": float(doubling.double("a") == "aa")}
"""
IN_JSON = "json.dump(results, open('/logs/verifier/reward.json', 'w'))\n"
IN_CTRF = (
    "tests = [{'name': name, 'status': 'passed' if value else 'failed'} for name, value in results.items()]\n"
    "json.dump({'results': {'tests': tests}}, open('/logs/verifier/ctrf.json', 'w'))\n"
)


@needs_bubblewrap
@pytest.mark.parametrize("report", [IN_JSON, IN_CTRF])
def test_verdicts_in_other_forms_and_folders_give_partial_credit(tmp_path, report):
    files = {"tests__verify_dot_py": VERIFY + report, "tests__test_solution_dot_py": None}
    files["environment__Dockerfile"] = "FROM x\nWORKDIR /srv/project\n"
    files["solution__solve_dot_sh"] = SOLVE.replace("/app/solution.py", "/srv/project/doubling.py")
    task = read(tmp_path, test_sh=OWN_VERDICTS, **files)
    assert (task.module, task.entry_point, task.tests) == ("doubling", "double", "")
    prepared = prepare_script(task)
    assert prepared.expected == ("number", "text")
    assert set(grade_script(prepared, FENCED).tests.values()) == {"passed"}
    half = "```python\ndef double(x):\n    return 4\n```"
    assert grade_script(prepared, half).tests == {"number": "passed", "text": "failed"}


def varied(tmp_path, count: int) -> None:
    """Tasks that are no near-duplicates of each other."""
    for n in range(count):
        instruction = " ".join(f"word{n}x{place}" for place in range(80))
        write_task(tmp_path, f"t{n:03d}", instruction_dot_md=f"Write `double` in `solution.py`. {instruction}\n")


def test_a_set_is_split_and_what_is_left_out_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("ABLATION_SAID", raising=False)
    varied(tmp_path, 40)
    write_task(tmp_path, "zz-broken", task_dot_toml="[")
    splits = load_every_task(config(tmp_path))
    assert sorted(task.task_id for task in splits.tasks) == [f"t{n:03d}" for n in range(40)]
    assert "1 of 41 tasks" in (said := capsys.readouterr().err)
    assert "zz-broken: task.toml does not parse" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"path": None}, "tasks.path is null"),
        ({"path": "/nonexistent"}, "cannot be read"),
        ({"name": "katas"}, "tasks.path="),
        ({"name": "katas", "path": None, "slow_path": True}, "tasks.slow_path=True has no use"),
        ({"name": "katas", "path": None, "max_timeout_s": 3.0}, "tasks.max_timeout_s=3.0 has no use"),
        ({"name": "harbour"}, "did you mean tasks=harbor"),
    ],
)
def test_a_configuration_without_sense_is_refused(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        load_every_task(config(tmp_path, **changes))


def test_an_empty_set_and_an_empty_split_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no task that can be used"):
        load_every_task(config(tmp_path))
    write_task(tmp_path)
    with pytest.raises(ConfigError, match=r"falls into the \w+ split"):
        load_tasks(config(tmp_path))
