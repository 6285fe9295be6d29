"""From the files of a task folder to a task."""

import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache

from ablation.scoring.script.namespace import NamespaceError
from ablation.scoring.script.solution import solve
from ablation.tasks.audit.source import parse
from ablation.tasks.harbor.folder import Files, Settings, settings
from ablation.tasks.harbor.python import Source, asked_module, asked_name
from ablation.tasks.harbor.shell import copied_into_image, tested_file, work_folder, written_files
from ablation.tasks.reading import Read, TaskError
from ablation.tasks.task import Script, Task

_VERDICT = re.compile(r"/logs/verifier|reward|ctrf", re.IGNORECASE)
TEST_SH, INSTRUCTION, SOLVE_SH = "tests/test.sh", "instruction.md", "solution/solve.sh"


def make_task(where: str, task_id: str, files: Files, max_timeout_s: float | None, slow_path: bool) -> Read:
    """The task of a folder with ``files``, which was read at ``where``.

    Its tests are run without its script where ``test.sh`` does nothing but run one pytest or unittest file that stands
    alone; then the script is kept only with ``slow_path``, for what cannot be run so.

    Raises:
        TaskError: the files are no task that can be used here.
    """
    for name in (INSTRUCTION, TEST_SH):
        if not files.get(name, "").strip():
            raise TaskError(f"{name} is missing or empty; expected a task folder with {INSTRUCTION} and {TEST_SH}")
    limits = settings(files.get("task.toml", ""))
    dockerfile = files.get("environment/Dockerfile", "")
    folder = work_folder(dockerfile, files[TEST_SH])
    script = Script(folder, tuple(sorted(_brought(files, folder, dockerfile))), limits.memory_mb)
    tests = {path.removeprefix("tests/"): content for path, content in files.items() if _is_test_module(path)}
    alone = _tested_alone(files)
    if not alone and not any(_VERDICT.search(content) for path, content in files.items() if path.startswith("tests/")):
        raise TaskError(
            f"{TEST_SH} gives its verdict in an unknown style, expected reward.txt, reward.json or ctrf.json in "
            "/logs/verifier, or one file that it hands to pytest or unittest"
        )
    sources = [Source(text, parse(text)) for text in ([tests[alone]] if alone else tests.values())]

    written = _written(files, folder)
    modules = {path.removesuffix(".py").replace("/", ".") for path in written or {} if path.endswith(".py")}
    module = asked_module(sources, set(_provided(script)) - modules, modules)
    reference, note = _reference(files, script, module, written, limits)
    timeout_s = limits.timeout_s if max_timeout_s is None else min(limits.timeout_s, max_timeout_s)
    task = Task(
        task_id=task_id,
        prompt=files[INSTRUCTION],
        entry_point=asked_name(module, sources, reference),
        tests=tests[alone] if alone else "",
        reference=reference,
        module=module,
        timeout_s=timeout_s,
        script=script._replace(fallback=bool(alone)) if slow_path or not alone else None,
    )
    return Read(where, task, note)


def _is_test_module(path: str) -> bool:
    return path.startswith("tests/") and path.endswith(".py") and path.count("/") == 1


def _tested_alone(files: Files) -> str | None:
    """The name of the one file with tests, when nothing else in the folder could matter to them."""
    name = tested_file(files[TEST_SH])
    beside = {path for path in files if path.startswith("tests/")} - {TEST_SH, f"tests/{name}"}
    return name if name and f"tests/{name}" in files and not beside else None


def _brought(files: Files, folder: str, dockerfile: str) -> Iterator[tuple[str, str]]:
    """(path inside, content) of the tests and of what the image copies to the work folder."""
    for path, content in files.items():
        if path.startswith("tests/"):
            yield f"/{path}", content
    placed: dict[str, str] = {}
    for source, target in copied_into_image(dockerfile):
        source = posixpath.normpath(source).lstrip("./")
        base = posixpath.normpath(posixpath.join(folder, target))
        for path, content in files.items():
            inner = path.removeprefix("environment/")
            if inner == path or inner in ("Dockerfile", "docker-compose.yaml"):
                continue
            if inner == source:
                place = posixpath.join(base, posixpath.basename(inner)) if target.endswith(("/", ".")) else base
            elif not source or inner.startswith(f"{source}/"):
                place = posixpath.join(base, inner.removeprefix(f"{source}/") if source else inner)
            else:
                continue
            if place.startswith(f"{folder}/"):
                placed[place] = content
    yield from placed.items()


def _provided(script: Script) -> Iterator[str]:
    """Dotted names of the modules that come with the task."""
    for path, _ in script.files:
        if path.endswith(".py"):
            root = "/tests/" if path.startswith("/tests/") else f"{script.folder}/"
            yield path.removeprefix(root).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _written(files: Files, folder: str) -> dict[str, str] | None:
    """What the solution writes in the work folder, if that can be read off."""
    if SOLVE_SH not in files:
        return {path.removeprefix("solution/"): content for path, content in files.items() if _is_solution(path)}
    written = written_files(files[SOLVE_SH], folder)
    if written is None:
        return None
    return {
        path: files.get(f"solution/{content[1:]}", "") if content.startswith("@") else content
        for path, content in written.items()
    }


def _is_solution(path: str) -> bool:
    return path.startswith("solution/") and path.endswith(".py")


def _reference(
    files: Files, script: Script, module: str, written: dict[str, str] | None, limits: Settings
) -> tuple[str | None, str]:
    """The source of the module that the solution writes, or None and why there is none."""
    name = f"{module.replace('.', '/')}.py"
    if written is not None:
        if name in written:
            return written[name], ""
        return None, f"solution/ writes no {name}" if written or SOLVE_SH in files else ""
    solution = tuple(
        (path.removeprefix("solution/"), content) for path, content in files.items() if path.startswith("solution/")
    )
    return _solved(script, solution, module, limits.timeout_s)


@lru_cache(maxsize=10_000)
def _solved(
    script: Script, solution: tuple[tuple[str, str], ...], module: str, timeout_s: float
) -> tuple[str | None, str]:
    try:
        return solve(script, solution, module, timeout_s), ""
    except NamespaceError as error:
        return None, str(error)
