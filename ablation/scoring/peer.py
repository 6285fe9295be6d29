"""The two ends of the line between evaluator and candidate, as far as they are alike.

Each side calls into the other: the evaluator asks for the candidate's functions and attributes, the
candidate calls back what a test passed in. While one side waits for an answer it serves the other's
requests. A message is a verb with values:

====================  ===================================  ================================
verb                  values                               answered by
====================  ===================================  ================================
``call``              target, method or None, args, kwargs ``ok`` value | ``raise`` exception
``get set delete``    target, name[, value]                the same
``operate``           name of the operation, operands      the same
====================  ===================================  ================================

The candidate's side answers a few more, each described where it is performed: ``load reference source derive
surround signature data``. An answer carries what was printed and warned in the meantime. What is no data
crosses as a number that only its owner can resolve: with a tag that says what it is (``function``, ``class``,
``object``, ``foreign`` ...) from its owner, as ``["yours", n]`` back to it.
"""

import builtins
import sys
import threading
import types
from typing import Any

from ablation.scoring.exchange import Exchange, ProtocolError, UncrossableError
from ablation.scoring.operations import OPERATIONS

MAX_CAUSES = 4  # of a chain of exceptions


class Peer(Exchange):
    """One end of the line. A subclass says how bytes travel, and what may be asked of it."""

    def __init__(self, parity: int) -> None:
        super().__init__(parity)
        self._objects: dict[int, Any] = {}  # what of mine the other side has a number for
        self._object_numbers: dict[int, int] = {}
        self._turn = threading.RLock()  # for one thread and what it serves meanwhile

    def request(self, verb: str, *values: Any) -> Any:
        """What the other side answers; raises what it raised."""
        # No local keeps the values: what nobody refers to is not kept in step.
        pending = list(values)
        del values
        with self._turn:
            self._write(self.encode(verb, pending))
            while True:
                verb, pending = self.decode(self._read())
                if verb in ("ok", "raise"):
                    break
                self._answer(verb, pending)
        if len(pending) != 2:
            raise ProtocolError("an answer without its news")
        self._take_news(pending.pop())
        if verb == "ok":
            return pending.pop()
        error = pending.pop()
        if not isinstance(error, BaseException):
            raise ProtocolError("raised what is no exception")
        try:
            raise error
        finally:
            del error

    def _answer(self, verb: str, values: list[Any]) -> None:
        try:
            verb, reply = "ok", [self._perform(verb, values)]
        except ProtocolError:
            raise
        except BaseException as error:
            self._stop_for(error)
            verb, reply = "raise", [error.with_traceback(None)]
        values.clear()
        reply.append(self._news())
        try:
            body = self.encode(verb, reply)
        except UncrossableError as error:
            body = self.encode("raise", [error.with_traceback(None), None])
        self._write(body)

    def _perform(self, verb: str, values: list[Any]) -> Any:
        if verb == "call":
            target, name, args, kwargs = values
            function = target if name is None else getattr(target, name)
            return function(*args, **kwargs)
        if verb == "get":
            return getattr(*values)
        if verb == "set":
            return setattr(*values)
        if verb == "delete":
            return delattr(*values)
        if verb == "operate":
            name, operands = values
            return OPERATIONS[name](*operands)
        raise ProtocolError(f"unknown verb {verb!r}")

    def _read(self) -> bytes:
        raise NotImplementedError

    def _write(self, body: bytes) -> None:
        raise NotImplementedError

    def _news(self) -> Any:
        return None

    def _take_news(self, news: Any) -> None:
        return None

    def _stop_for(self, error: BaseException) -> None:
        """Re-raises an error that must not become an answer."""

    def _own(self, value: Any) -> int:
        """The number of an object of this side."""
        number = self._object_numbers.get(id(value))
        if number is None:
            number = len(self._objects)
            self._objects[number] = value
            self._object_numbers[id(value)] = number
        return number

    def _encode_error(self, error: BaseException, depth: int) -> list[Any]:
        kind = type(error)
        named = name_of(kind)
        cause = error.__cause__ if depth < MAX_CAUSES else None
        foreign = None if cause is None else vars(cause).get("_foreign")
        return [
            "exception",
            ["named", *named] if named else self._encode(kind),
            self._encode_parts(error.args),
            _text(error),
            self._own(error),
            self._encode_parts(tuple(vars(error).items())) if named and vars(error) else None,
            None
            if cause is None
            else ["yours", foreign]
            if foreign is not None
            else self._encode_error(cause, depth + 1),
        ]

    def _encode_parts(self, parts: tuple[Any, ...]) -> Any:
        """The parts of an exception: what cannot cross is left out rather than the exception lost."""
        try:
            return self._encode(parts)
        except UncrossableError:
            return ["tuple"]


def _text(error: BaseException) -> str:
    try:
        return str.__str__(str(error))
    except Exception:  # a hostile or broken __str__
        return ""


def name_of(kind: Any) -> tuple[str, str] | None:
    """Module and qualified name of something of the standard library that resolves to itself."""
    module, name = getattr(kind, "__module__", None), getattr(kind, "__qualname__", None)
    if type(module) is not str or type(name) is not str or module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is kind else None


def named(value: Any) -> list[Any] | None:
    """How a function or class of the standard library crosses, so that each side uses its own."""
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.MethodDescriptorType):
        name = name_of(value)
        if name is not None and "." not in name[1]:
            return ["named", *name]
        if isinstance(value, types.MethodDescriptorType) and vars(builtins).get(value.__objclass__.__name__):
            return ["named", "builtins", f"{value.__objclass__.__name__}.{value.__name__}"]
    return None
