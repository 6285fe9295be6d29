"""The evaluator's end of the line to one candidate: asks with a deadline, believes only data.

What a candidate says of itself is not the truth: an operation by which its object would judge (equality,
order, containment, truth, arithmetic with what is expected) counts only where the reference's own object was
asked the same, about the same kind of thing, in the same test (``Judgements``). Towards a builtin value a
candidate's object is never equal.
"""

import builtins
import collections.abc
import importlib
import select
import socket
import sys
import types
import warnings
from time import monotonic  # by name: tests replace what is in the module
from typing import Any, Literal
from unittest import SkipTest, mock

from _pytest.outcomes import OutcomeException

from ablation.scoring.data import ATOMS
from ablation.scoring.evaluator import making, standins
from ablation.scoring.evaluator.judgements import Judgements
from ablation.scoring.evaluator.surroundings import Surroundings
from ablation.scoring.exchange import MAX_FRAME_BYTES, ProtocolError, UncrossableError
from ablation.scoring.frames import FrameBuffer, OversizedFrameError
from ablation.scoring.operations import CONTENT, JUDGING, JUDGING_METHODS, OPERATIONS, operations_of
from ablation.scoring.peer import Peer, named
from ablation.scoring.room import EVERY_S, Room

End = Literal["timeout", "gone", "violation"]
_CALLABLES = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType, type)
_SEEN = (type(None), bool, int, float, complex, str, list, tuple, dict, set, frozenset, *ATOMS)
_WARNINGS = {name: kind for name, kind in vars(builtins).items() if name.endswith("Warning")}
_MOCK = frozenset(dir(mock.MagicMock()))
_FORBIDDEN = ("unittest", "pytest", "_pytest")  # whose exceptions decide about outcomes


# Imported so that their exceptions are known here.
for _name in (
    *("argparse", "asyncio", "binascii", "configparser", "copy", "csv", "dataclasses", "decimal", "graphlib", "json"),
    *("pickle", "queue", "re", "shutil", "statistics", "struct", "subprocess", "tomllib", "zlib", "zoneinfo"),
):
    importlib.import_module(_name)


class SessionOverError(BaseException):
    """The candidate can answer no more. No test may take this for an exception of the candidate."""


class EvaluatorPeer(Peer):
    """One candidate's line. ``deadline`` is in the time of ``time.monotonic``."""

    def __init__(
        self, line: socket.socket, deadline: float, judgements: Judgements, room: Room, pool: int | None = None
    ) -> None:
        """``room`` is what the candidate may write; ``pool`` is a descriptor that becomes readable when nobody waits
        for the verdict any more.
        """
        super().__init__(parity=0)
        self._room, self._looked = room, monotonic()  # and when it was last looked at
        self._watched: list[Any] = [line] if pool is None else [line, pool]
        self.deadline = deadline
        self.surroundings: Surroundings | None = None  # set while tests run
        self.end: tuple[End, str] | None = None  # why the candidate can answer no more
        self._line = line
        self._judgements = judgements
        self._frames = FrameBuffer(MAX_FRAME_BYTES)
        self._bodies: list[bytes] = []
        self._proxies: dict[int, Any] = {}
        self._numbered: dict[int, int] = {}  # id of a proxy that is no stand-in -> its number
        self.patched: dict[tuple[int | None, str], Any] = {}  # what attributes were before a test set them

    def over(self, end: End, detail: str) -> SessionOverError:
        """Note that the candidate can answer no more."""
        self.end = self.end or (end, detail)
        return SessionOverError(detail)

    def adopt(self, number: Any, kind: type) -> None:
        """Take a class that the tests derived for the stand-in of what the candidate's process made of it."""
        if type(number) is not int or number in self._proxies:
            raise self.over("violation", "a derived class is numbered anew")
        self._proxies[number] = kind

    def request(self, verb: str, *values: Any) -> Any:
        if verb in ("get", "call") and values[1] in JUDGING_METHODS and isinstance(values[0], standins.Remote):
            about = values[2] if verb == "call" else ()
            if not self._judgements.count(values[1], (values[0], *about)):
                raise UncrossableError(
                    f"an object of the candidate would judge by {values[1]}; the reference's does not"
                )
        try:
            if self.surroundings is not None and (news := self.surroundings.changes()) is not None:
                super().request("surround", *news)
            return super().request(verb, *values)
        except ProtocolError as error:
            raise self.over("violation", str(error)) from None

    def operate(self, name: str, *operands: Any) -> Any:
        """The answer of the candidate to an operation on one of its objects."""
        base = standins.builtin_base(type(operands[0])) if name in CONTENT else None
        if base is not None and not self._judgements.count(f"content {name}", operands):
            return self._of_data(name, base, operands)
        if name == "__exit__" and self._is_the_tests_own(operands[2]):
            # Whether a test has failed is not for the candidate to say, nor what it compared for it to know.
            self.request("operate", name, (operands[0], None, None, None))
            return False
        if name in JUDGING or name in ("__hash__", "__len__"):
            counts = self._judgements.count(name, operands)
            if name in ("__eq__", "__ne__") and not standins.is_candidates(operands[1]):
                return (name == "__ne__") != self._same_data(*operands)
            if name in JUDGING and not counts:
                raise UncrossableError(f"an object of the candidate would judge by {name}; the reference's does not")
        # No traceback crosses: a context manager is told of an exception without one.
        operands = tuple(None if isinstance(operand, types.TracebackType) else operand for operand in operands)
        return self.request("operate", name, operands)

    def _of_data(self, name: str, base: type, operands: tuple[Any, ...]) -> Any:
        """What a builtin container with the content of the candidate's object answers."""
        data = self.request("data", operands[0])
        if type(data) is not base:
            raise UncrossableError(f"the content of an object that is a {base.__name__} is none")
        return OPERATIONS[name](data, *operands[1:])

    def _is_the_tests_own(self, error: Any) -> bool:
        """Whether an exception is a failed assertion or an outcome that the tests raised here."""
        if not isinstance(error, AssertionError | OutcomeException | SkipTest):
            return False
        return id(error) not in self._numbered and standins.number_of(error, self) is None

    def _same_data(self, mine: Any, other: Any) -> bool:
        """Whether an object that is a builtin value by its base is equal to ``other`` as that value."""
        if standins.builtin_base(type(mine)) is None:
            return False
        data = self.request("data", mine)
        return type(data) is standins.builtin_base(type(mine)) and bool(data == other)

    def _read(self) -> bytes:
        while not self._bodies:
            if self.end is not None:
                raise self.over(*self.end)
            now = monotonic()
            if now - self._looked > EVERY_S:
                if self._room.is_exceeded():
                    raise self.over("violation", f"the candidate wrote more than {self._room}")
                now = self._looked = monotonic()
            left = self.deadline - now
            if left <= 0:
                raise self.over("timeout", "the deadline passed")
            ready = select.select(self._watched, [], [], min(left, EVERY_S))[0]
            if not ready:
                continue
            if self._line not in ready:
                raise self.over("gone", "the pool is gone")
            try:
                data = self._line.recv(1 << 16)
                self._bodies = self._frames.bodies(data)
            except OversizedFrameError as error:
                raise self.over("violation", str(error)) from None
            except OSError:
                data = b""
            if not data:
                raise self.over("gone", "the candidate's process ended")
        return self._bodies.pop(0)

    def _write(self, body: bytes) -> None:
        if self.end is not None:
            raise self.over(*self.end)
        left = self.deadline - monotonic()
        if left <= 0:
            raise self.over("timeout", "the deadline passed")
        self._line.settimeout(left)
        try:
            write_all(self._line, body)
        except TimeoutError:
            raise self.over("timeout", "the deadline passed") from None
        except OSError:
            raise self.over("gone", "the candidate's process ended") from None

    def decode(self, body: bytes) -> tuple[str, list[Any]]:
        try:
            return super().decode(body)
        except ProtocolError as error:
            raise self.over("violation", str(error)) from None

    def _answer(self, verb: str, values: list[Any]) -> None:
        try:
            super()._answer(verb, values)
        except ProtocolError as error:
            raise self.over("violation", str(error)) from None

    def _stop_for(self, error: BaseException) -> None:
        if isinstance(error, SessionOverError):
            raise error

    def _perform(self, verb: str, values: list[Any]) -> Any:
        """Only what a test passed in may be asked: functions called, objects for what is public of them."""
        target = values[1][0] if verb == "operate" else values[0]
        if id(target) not in self._object_numbers:
            raise ProtocolError("asked for what no test passed in")
        name = values[0] if verb == "operate" else values[1]
        closed = isinstance(target, _CALLABLES)
        if verb == "call" and name is None:
            return super()._perform(verb, values)
        if closed or type(name) is not str:
            raise ProtocolError("a callable that a test passed in can only be called")
        if verb == "operate":
            if name not in operations_of(type(target)):
                raise ProtocolError(f"{name} of an object that has none")
        elif name.startswith("_"):
            raise ProtocolError("asked for what is private to the tests")
        elif verb in ("set", "delete") and _is_of_a_library(target):
            raise AttributeError(f"{name} of a {type(target).__name__} of the tests cannot be changed")
        elif isinstance(target, mock.NonCallableMock) and (verb != "get" or name in _MOCK):
            # How a mock was called, and what it is to answer, is the tests' to say.
            raise AttributeError(f"{name} of a mock belongs to the tests")
        elif verb == "get" and _is_of_a_library(target) and not _may_be_seen(found := getattr(target, name)):
            raise AttributeError(
                f"{name} of a {type(target).__name__} leads to a {type(found).__name__} of this process"
            )
        return super()._perform(verb, values)

    def _take_news(self, news: Any) -> None:
        if news is None:
            return
        try:
            out, err, *warned = news
            told = [(str(message), _WARNINGS.get(category, UserWarning)) for message, category in warned]
        except (TypeError, ValueError) as error:
            raise ProtocolError(f"odd news: {error}") from None
        if type(out) is not str or type(err) is not str:
            raise ProtocolError("odd news")
        sys.stdout.write(out)
        if sys.stderr is not sys.__stderr__:  # a test looks at it; otherwise it is the trainer's terminal
            sys.stderr.write(err)
        for message, category in told:
            warnings.warn(message, category, stacklevel=3)

    def _encode_other(self, value: Any) -> list[Any]:
        mine = self._numbered.get(id(value), standins.number_of(value, self))
        if mine is not None:
            return ["yours", mine]
        if issubclass(type(value), standins.Remote):
            raise UncrossableError("an object of another candidate")
        if issubclass(type(value), standins.RemoteTuple):
            return ["namedtuple", self._encode(type(value), 1), *[self._encode(item, 1) for item in tuple(value)]]
        library = named(value)
        if library is not None:
            return library
        if issubclass(type(value), BaseException):
            return self._encode_error(value, 0)
        if isinstance(value, types.FrameType | types.CodeType):
            return self._refuse(value)
        if isinstance(value, types.ModuleType):
            return self._refuse(value)
        if isinstance(value, _CALLABLES):
            return ["foreign", self._own(value), str(getattr(value, "__name__", "")), None, _doc(value)]
        operations = [name for name in operations_of(type(value)) if name != "__call__"]
        return ["foreign", self._own(value), "" if callable(value) else None, operations]

    def _refuse(self, value: Any) -> list[Any]:
        raise UncrossableError(f"a {type(value).__name__} of the tests cannot cross")

    def _decode_other(self, tag: str, content: list[Any]) -> Any:
        if tag == "yours":
            return self._objects[content[0]]
        if tag in ("object", "function", "class", "module", "coroutine", "generator"):
            number = content[0]
            if type(number) is not int:
                raise ProtocolError("an object without a number")
            if number not in self._proxies:
                self._proxies[number] = self._stand_in(tag, number, content[1:])
            return self._proxies[number]
        if tag == "namedtuple":
            kind, *items = [self._decode(item, 1) for item in content]
            if not issubclass(kind, standins.RemoteTuple):
                raise ProtocolError("a named tuple of another class")
            return tuple.__new__(kind, items)
        if tag == "named":
            return self._library_error(*content)
        if tag == "exception":
            return self._decode_error(*content)
        return super()._decode_other(tag, content)

    def _stand_in(self, tag: str, number: int, about: list[Any]) -> Any:
        if tag == "function":
            return standins.RemoteFunction(self, number, str(about[0]))
        if tag == "module":
            return standins.RemoteModule(self, number, str(about[0]))
        if tag == "generator":
            generator = making.generator(self, number)
            self._numbered[id(generator)] = number
            return generator
        if tag == "coroutine":
            return making.coroutine(self, number)
        if tag == "object":
            return making.instance(self, number, self._decode(about[0]))
        name, qualname, module, bases, operations, missing, methods, fields = about
        special = {*operations, *missing}
        if not all(one in OPERATIONS and one.startswith("__") for one in special):
            raise ProtocolError("a class with an unknown operation")
        plain = [*methods, *(fields or ())]
        if not all(one.isidentifier() and not one.startswith("__") for one in plain):
            raise ProtocolError("a class with an odd method or field")
        if any(one.startswith("_") for one in fields or ()):
            raise ProtocolError("a named tuple with a private field")
        description = making.Description(
            *(str(name), str(qualname), str(module)),
            tuple(self._decode(base) for base in bases),
            *(tuple(operations), tuple(missing), tuple(methods)),
            None if fields is None else tuple(fields),
        )
        stand_in = making.stand_in_class(self, number, description)
        for base in description.bases:
            if getattr(base, "__module__", "") == "collections.abc":
                base.register(stand_in)
        return stand_in

    def _library_error(self, module: str, name: str) -> type:
        """An exception class of the standard library, or an ABC: nothing else crosses by name from a candidate."""
        if module == "collections.abc" and name in collections.abc.__all__:
            return getattr(collections.abc, name)
        if module.partition(".")[0] in _FORBIDDEN or module.partition(".")[0] not in sys.stdlib_module_names:
            raise ProtocolError(f"{module}.{name} from a candidate")
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:  # of a module that is not imported here, and will not be at a candidate's wish
            return type(name, (Exception,), {"__module__": module})
        if not issubclass(found, BaseException) or found.__module__.partition(".")[0] in _FORBIDDEN:
            raise ProtocolError(f"{module}.{name} from a candidate")
        return found

    def _decode_error(
        self, kind: Any, args: Any, text: str, number: int | None, attributes: Any, cause: Any
    ) -> BaseException:
        kind, parts = self._decode(kind), self._decode(args)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ProtocolError("raised what is no exception")
        if type(number) is not int:
            raise ProtocolError("an exception without a number")
        if number in self._proxies:
            return self._proxies[number]
        if isinstance(kind, standins.RemoteType):
            error = making.exception(self, number, kind, parts, str(text))
        else:
            error = making.library_exception(kind, parts, {} if attributes is None else dict(self._decode(attributes)))
            self._numbered[id(error)] = number
        self._proxies[number] = error
        if cause is not None:
            error.__cause__ = self._decode(cause)
        return error


def _is_of_a_library(target: Any) -> bool:
    """Whether an object's class comes with Python: it may lead to what other tests and this program use too."""
    top = type(target).__module__.partition(".")[0]
    return top in sys.stdlib_module_names and not isinstance(target, types.SimpleNamespace | mock.NonCallableMock)


def _may_be_seen(value: Any) -> bool:
    """Whether an attribute of a library's object is data or a callable, which can only be called."""
    return callable(value) or isinstance(value, _SEEN)


def _doc(value: Any) -> str | None:
    doc = getattr(value, "__doc__", None)
    return doc if type(doc) is str else None


def write_all(line: socket.socket, body: bytes) -> None:
    """Write one frame within the timeout of the socket."""
    line.sendall(len(body).to_bytes(4, "big") + body)
