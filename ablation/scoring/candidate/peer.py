"""The candidate's end of the line: its objects stay here, the evaluator gets numbers for them."""

import importlib
import os
import types
from typing import Any

from ablation.scoring.candidate.describing import data_of, signature_parts
from ablation.scoring.candidate.foreign import (
    Foreign,
    ForeignError,
    ForeignFunction,
    ForeignObject,
    foreign_operation,
    rebuilt,
)
from ablation.scoring.candidate.surroundings import Printed, surround
from ablation.scoring.data import NAMED
from ablation.scoring.frames import read_body, write_body
from ablation.scoring.operations import OPERATIONS, operations_of
from ablation.scoring.peer import Peer, name_of

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType)
_METHODS = (types.FunctionType, types.MethodDescriptorType)


class CandidatePeer(Peer):
    """Talks on ``descriptor``; the process ends when the evaluator closes it."""

    def __init__(self, descriptor: int = -1) -> None:
        super().__init__(parity=1)
        self.descriptor = descriptor
        self._described: set[int] = set()
        self._foreign: dict[int, Any] = {}
        self._warned: list[Any] = []
        self.stdout, self.stderr = Printed(), Printed()

    def serve_one(self) -> None:
        """Answer one request of the evaluator."""
        verb, values = self.decode(self._read())
        self._answer(verb, values)

    def warned(self, message: Any, category: type, *_: Any) -> None:
        """Takes the place of ``warnings.showwarning``."""
        name = name_of(category)
        self._warned.append((str(message), name[1] if name else "UserWarning"))

    def _read(self) -> bytes:
        body = read_body(self.descriptor)
        if body is None:
            os._exit(0)
        return body

    def _write(self, body: bytes) -> None:
        write_body(self.descriptor, body)

    def _perform(self, verb: str, values: list[Any]) -> Any:
        if verb == "signature":
            return signature_parts(*values)
        if verb == "derive":
            return self._derive(*values)
        if verb == "data":
            return data_of(*values)
        if verb == "surround":
            return surround(*values)
        return super()._perform(verb, values)

    def _derive(self, name: str, bases: tuple[type, ...], parts: Any, options: dict[str, Any]) -> int:
        """Make the class that a test derives: its functions call back. Its number."""
        space = {part: rebuilt(how, value) for part, how, value in parts}
        kind = types.new_class(name, bases, options, lambda own: own.update(space))
        number = self._own(kind)
        self._described.add(number)
        return number

    def _news(self) -> Any:
        out, err, warned = self.stdout.take(), self.stderr.take(), self._warned
        if not (out or err or warned):
            return None
        self._warned = []
        return (out, err, *warned)

    def _encode_other(self, value: Any) -> list[Any]:
        kind = type(value)
        if issubclass(kind, Foreign):
            return ["yours", value.__dict__["_number"]]
        if issubclass(kind, BaseException):
            foreign = value.__dict__.get("_foreign")
            return ["yours", foreign] if foreign is not None else self._encode_error(value, 0)
        if issubclass(kind, type):
            return self._encode_class(value)
        if kind is types.ModuleType:
            return ["module", self._own(value), str(value.__name__)]
        if kind is types.GeneratorType:
            return ["generator", self._own(value)]
        if kind is types.CoroutineType:
            return ["coroutine", self._own(value)]
        if issubclass(kind, _FUNCTIONS):
            return ["function", self._own(value), str(getattr(value, "__name__", ""))]
        if issubclass(kind, tuple) and kind.__eq__ is tuple.__eq__ and hasattr(kind, "_fields"):
            return ["namedtuple", self._encode_class(kind), *[self._encode(item, 1) for item in tuple(value)]]
        return ["object", self._own(value), self._encode_class(kind)]

    def _encode_class(self, kind: type, as_base: bool = False) -> list[Any]:
        if kind in NAMED:
            return ["type", NAMED[kind]]
        number = self._own(kind)
        if number in self._described:
            return ["class", number]
        name = name_of(kind)
        if name is not None and (issubclass(kind, BaseException) or (as_base and name[0] == "collections.abc")):
            return ["named", *name]
        self._described.add(number)
        return ["class", number, *self._description(kind)]

    def _description(self, kind: type) -> list[Any]:
        spaces = [vars(base) for base in kind.__mro__ if base is not object]
        methods = {
            name: None
            for space in reversed(spaces)
            for name, value in space.items()
            if not name.startswith("__") and isinstance(value, _METHODS)
        }
        operations = operations_of(kind)
        return [
            kind.__name__,
            kind.__qualname__,
            kind.__module__,
            [self._encode_class(base, as_base=True) for base in kind.__bases__ if base is not object],
            [name for name in operations if getattr(kind, name, None) is not None],
            [name for name in operations if getattr(kind, name, None) is None],
            list(methods),
            list(kind._fields) if issubclass(kind, tuple) and hasattr(kind, "_fields") else None,
        ]

    def _decode_other(self, tag: str, content: list[Any]) -> Any:
        if tag == "yours":
            return self._objects[content[0]]
        if tag == "foreign":
            return self._adopt_foreign(*content)
        if tag == "named":
            module, name = content
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            return found
        if tag == "namedtuple":
            kind, *items = [self._decode(item, 1) for item in content]
            return tuple.__new__(kind, items)
        if tag == "exception":
            return self._decode_error(*content)
        return super()._decode_other(tag, content)

    def _adopt_foreign(
        self, number: int, name: str | None, operations: list[str] | None = None, doc: str | None = None
    ) -> Any:
        if number not in self._foreign:
            kind: type[Foreign] = ForeignFunction
            if operations is not None:
                space = {name: foreign_operation(name) for name in operations if name in OPERATIONS}
                bases = (ForeignObject, ForeignFunction) if name is not None else (ForeignObject,)
                kind = type("ForeignObject", bases, space)
            self._foreign[number] = kind(self, number)
            if name:
                self._foreign[number].__dict__.update(__name__=name, __qualname__=name, __doc__=doc)
        return self._foreign[number]

    def _decode_error(
        self, kind: Any, args: Any, text: str, number: int | None, attributes: Any, cause: Any
    ) -> BaseException:
        kind = self._decode(kind)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            kind = ForeignError
        error: BaseException = kind.__new__(kind, *self._decode(args))
        error.args = self._decode(args)
        if attributes is not None:
            error.__dict__.update(self._decode(attributes))
        if number is not None:
            error.__dict__["_foreign"] = number
        if cause is not None:
            error.__cause__ = self._decode(cause)
        return error
