"""What tests may not do with a candidate's words in this process: evaluate them, unpickle them, leave its folder.

Tests are the task's own code, but what they are given is not. ``eval(repr(answer))`` and ``pickle.loads(answer)``
would run a candidate's text here, and an object of a library that is handed to a candidate would write files for it.
Values of ``eval`` and ``pickle`` are therefore data alone, and while tests run nothing is started, connected to or
written outside the folder that tests write in.
"""

import ast
import builtins
import contextlib
import datetime
import decimal
import fractions
import io
import os
import pickle
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablation.scoring.evaluator import standins
from ablation.scoring.exchange import UncrossableError

_VALUES = (
    *(bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, slice),
    *(datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone),
    *(decimal.Decimal, fractions.Fraction, Counter, OrderedDict, defaultdict, deque, object),
)
_LITERALS = (ast.Expression, ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop)
_CALLS = (ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Load, ast.BinOp, ast.Add, ast.Sub)


def evaluated(text: Any, space: Any = None, local: Any = None, /) -> Any:
    """``eval`` for tests: literals, and calls of a candidate's classes and of builtin and standard value types.

    Raises UncrossableError for anything else, SyntaxError as ``eval`` does.
    """
    frame = sys._getframe(1)
    names = {**(frame.f_globals if space is None else space), **((frame.f_locals if space is None else local) or {})}
    if not isinstance(text, str):
        raise UncrossableError("tests may evaluate text alone")
    tree = ast.parse(text.strip(), mode="eval")
    for node in ast.walk(tree):
        if not isinstance(node, _LITERALS + _CALLS):
            raise UncrossableError(f"tests may not evaluate a {type(node).__name__} of a candidate's text")
        if isinstance(node, ast.Call):
            _check(node.func, names)
        if isinstance(node, ast.Attribute) and (node.attr.startswith("_") or not isinstance(node.value, ast.Name)):
            raise UncrossableError(f"tests may not evaluate .{node.attr} of a candidate's text")
    return eval(
        compile(tree, "<evaluated>", "eval"), {"__builtins__": {kind.__name__: kind for kind in _VALUES}}, names
    )


def _check(function: ast.expr, names: dict[str, Any]) -> None:
    """Raises UncrossableError unless what is called makes a value, or is the candidate's."""
    found: Any = None
    if isinstance(function, ast.Name):
        found = names.get(function.id, getattr(builtins, function.id, None))
    elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner = names.get(function.value.id)
        if isinstance(owner, types.ModuleType):
            found = getattr(owner, function.attr, None)
    if not (found in _VALUES or standins.is_candidates(found)):
        raise UncrossableError(f"tests may not call {ast.unparse(function)} as a candidate's text says")


def refused(*_: Any, **__: Any) -> Any:
    """Stands for ``exec`` and ``compile`` in tests."""
    raise UncrossableError("tests may not execute text, which may be a candidate's")


EVALUATING = {"eval": evaluated, "exec": refused, "compile": refused}


def executes(tree: ast.Module) -> str:
    """How tests get at ``eval`` and its like in a way that cannot be watched; empty when they do not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in EVALUATING and ast.unparse(node.value) in _BUILTINS:
            return f"{ast.unparse(node)} is used"
        if isinstance(node, ast.ImportFrom) and node.module == "builtins":
            return "names are imported from builtins"
    for node in _run_at_import(tree):
        if isinstance(node, ast.Name) and node.id in EVALUATING:
            return f"{node.id} is used while the tests are imported"
    return ""


_BUILTINS = ("builtins", "__builtins__")


def _run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        yield from _run_at_import(child)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (standins.__name__, "_unpickled"):
            return standins._unpickled
        found = getattr(sys.modules.get(module), name, None) if "." not in name else None
        if found in _VALUES or (isinstance(found, type) and module.startswith("test_")):
            return found
        if isinstance(found, type) and issubclass(found, Exception) and module == "builtins":
            return found
        if (module, name) in (("copyreg", "_reconstructor"), ("copyreg", "__newobj__")):
            return found
        raise UncrossableError(f"tests may not unpickle {module}.{name}, which a candidate may have put there")


def _loads(data: Any, /, **options: Any) -> Any:
    return _Unpickler(io.BytesIO(data), **options).load()


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


_WRITES = {"open", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_WRITES |= {"os.chown", "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile", "sqlite3.connect"}
_NEVER = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "pty.spawn"}
_NEVER |= {"socket.connect", "socket.bind", "socket.sendto"}
_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_running: list[str] = []  # the folder that may be written in, while tests run


def install() -> None:
    """Put the guards of this process up; for ever."""
    pickle.loads, pickle.load, pickle.Unpickler = _loads, _load, _Unpickler  # type: ignore[misc]
    sys.addaudithook(_watch)


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Only ``folder``, a real path, may be written in, and no process started."""
    _running.append(str(folder))
    try:
        yield
    finally:
        _running.pop()


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _running:
        return
    if event in _NEVER:
        raise PermissionError(f"tests may not do {event} in the evaluator")
    if event in _WRITES:
        if event == "open" and isinstance(arguments[2], int) and not arguments[2] & _FLAGS:
            return
        for path in arguments[:2] if event in ("os.rename", "shutil.move", "shutil.copyfile") else arguments[:1]:
            if isinstance(path, str | bytes | os.PathLike) and not _is_inside(os.fsdecode(path)):
                raise PermissionError(f"tests may not write to {os.fsdecode(path)!r}")


def _is_inside(path: str) -> bool:
    if path in (":memory:", "", os.devnull):
        return True
    return os.path.realpath(path).startswith(f"{_running[-1]}{os.sep}") or os.path.realpath(path) == _running[-1]
