"""In a fork of the candidate server: take a candidate in, confine this process, run it, answer questions."""

import importlib
import os
import random
import sys
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

from ablation.scoring.candidate.peer import CandidatePeer
from ablation.scoring.candidate.surroundings import redirect
from ablation.scoring.exchange import ProtocolError
from ablation.scoring.extract import Prompt, compile_source, extract
from ablation.scoring.frames import READY, write_body


def ready() -> "LoadingPeer":
    """What will answer in a fork of this process, made ahead since making it costs each fork pages of memory."""
    peer = LoadingPeer()
    redirect(peer)
    return peer


def serve(peer: "LoadingPeer", descriptor: int, confine: Callable[[], None]) -> None:
    """Confine this process, say so, and answer the evaluator on ``descriptor`` until it goes away."""
    try:
        confine()
    except (OSError, ValueError) as error:
        write_body(descriptor, f"could not confine a candidate: {error}".encode())
        return
    write_body(descriptor, READY)
    peer.descriptor = descriptor
    while True:
        peer.serve_one()


class LoadingPeer(CandidatePeer):
    """Answers one request to load a candidate, and then only requests to the candidate."""

    _loaded = False
    _source = ""

    def _perform(self, verb: str, values: list[Any]) -> Any:
        if verb == "source":
            return self._source
        if verb not in ("load", "reference"):
            return super()._perform(verb, values)
        if self._loaded:
            raise ProtocolError("a second candidate in one process")
        self._loaded = True
        module, prompt, entry_point, text, names, seed = values
        random.seed(seed)
        candidate = compile_source(text) if verb == "reference" else extract(Prompt(prompt, entry_point), text)
        self._source = candidate.source
        if candidate.code is None:
            return (candidate.status, candidate.detail)
        return ("loaded", *_execute(module, candidate.code, names))


def _execute(name: str, code: CodeType, names: list[str]) -> tuple[ModuleType, dict[str, Any]]:
    """The candidate's module, and those of ``names`` that it has (``*``: all public ones)."""
    module = ModuleType(name)
    module.__file__ = f"{name.replace('.', '/')}.py"
    _install(name, module)
    exec(code, module.__dict__)
    space = module.__dict__
    if "*" in names:
        public = space.get("__all__", [key for key in space if not key.startswith("_")])
        names = [*names, *map(str, public)]
    return module, {key: space[key] for key in names if key in space}


def _install(name: str, module: ModuleType) -> None:
    parent, _, last = name.rpartition(".")
    if parent and parent not in sys.modules:
        package = ModuleType(parent)
        package.__path__ = []
        _install(parent, package)
    if parent:
        setattr(sys.modules[parent], last, module)
    sys.modules[name] = module


def forget_this_package() -> None:
    """Take this package out of a candidate's reach: its task sets hold references."""
    root = str(importlib.import_module("ablation").__path__[0])
    sys.path[:] = [entry for entry in sys.path if not root.startswith(os.path.abspath(entry) + os.sep)]  # noqa: PTH100
    for name in [name for name in sys.modules if name.partition(".")[0] == "ablation"]:
        del sys.modules[name]
    # The other folders' listings are kept: a confined process may not be able to read them again.
    for entry in [entry for entry in sys.path_importer_cache if entry not in sys.path]:
        del sys.path_importer_cache[entry]
