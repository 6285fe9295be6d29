"""How evaluator and candidate exchange values: as JSON data, with lists, dicts and sets kept in step.

Both sides have an ``Exchange``. A container that can change crosses with a number and is *shared* as long
as both sides may look at it: each message brings the other side's copies up to date first. So a test sees
its argument sorted in place, and a class that keeps its caller's list without copying is caught. What only
one side still refers to is forgotten, which is nearly everything after each call.

What is no data (functions, instances) crosses as a number that only its owner can resolve; the two sides
do that in their own way (``_encode_other``, ``_decode_other``).
"""

import json
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ablation.scoring.data import ATOMS, CONSTANT_NAMES, CONSTANTS, INT64, MAKERS, NAMED, PLAIN, TYPES

MAX_FRAME_BYTES = 8 << 20
MAX_DEPTH = 200  # of nested tuples; lists and dicts do not nest on the wire


_DUMPS = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


class UncrossableError(TypeError):
    """A value cannot cross between evaluator and candidate faithfully."""


class ProtocolError(Exception):
    """The other side sent what no honest side would."""


class _Container(NamedTuple):
    name: str
    new: Callable[[], Any]
    items: Callable[[Any], Iterable[Any]]
    fill: Callable[[Any, list[Any]], None]  # replaces the content


def _pairs(mapping: dict[Any, Any]) -> Iterator[Any]:
    for key, value in mapping.items():
        yield key
        yield value


def _refill_list(target: Any, items: list[Any]) -> None:
    target[:] = items


def _refill_set(target: set[Any], items: list[Any]) -> None:
    target.clear()
    target.update(items)


def _refill_dict(target: dict[Any, Any], items: list[Any]) -> None:
    target.clear()
    dict.update(target, zip(items[::2], items[1::2], strict=True))


def _refill_default(target: "defaultdict[Any, Any]", items: list[Any]) -> None:
    target.default_factory = items[0]
    _refill_dict(target, items[1:])


def _refill_deque(target: "deque[Any]", items: list[Any]) -> None:
    target.clear()
    target.extend(items)


CONTAINERS: dict[type, _Container] = {
    list: _Container("list", list, iter, _refill_list),
    dict: _Container("dict", dict, _pairs, _refill_dict),
    set: _Container("set", set, iter, _refill_set),
    bytearray: _Container("bytearray", bytearray, iter, _refill_list),
    Counter: _Container("Counter", Counter, _pairs, _refill_dict),
    OrderedDict: _Container("OrderedDict", OrderedDict, _pairs, _refill_dict),
    defaultdict: _Container("defaultdict", defaultdict, lambda v: (v.default_factory, *_pairs(v)), _refill_default),
    deque: _Container("deque", deque, iter, _refill_deque),
}
_BY_NAME = {container.name: container for container in CONTAINERS.values()}


class _Shared:
    """A container that both sides may look at."""

    __slots__ = ("container", "text", "value")

    def __init__(self, value: Any, container: _Container, text: str | None) -> None:
        self.value = value
        self.container = container
        self.text = text  # the content that the other side knows; None while it is being filled


class Exchange:
    """One side's half of the exchange of one candidate. ``parity`` is 0 on one side and 1 on the other."""

    def __init__(self, parity: int) -> None:
        self._next = parity
        self._shared: dict[int, _Shared] = {}
        self._numbers: dict[int, int] = {}  # id of a shared container -> its number
        self._fresh: list[int] = []  # numbers given while encoding the present message
        self._decoding = 0

    def encode(self, verb: str, values: list[Any]) -> bytes:
        """A message; ``values`` is emptied, so that what nobody else refers to can be forgotten.

        Raises:
            UncrossableError: a value cannot cross. The exchange is as it was.
        """
        self._fresh, changed = [], list[Any]()
        try:
            encoded = [self._encode(value, 0) for value in values]
            self._contents(changed)
            created = [[number, *self._creation(number)] for number in self._fresh]
            head = _DUMPS([verb, encoded, created, changed])
            if len(head) > MAX_FRAME_BYTES:
                raise UncrossableError(f"the value takes {len(head):,} bytes; {MAX_FRAME_BYTES:,} can cross")
        except BaseException as error:
            for number, _ in changed:
                self._shared[number].text = ""  # to be sent again
            self._forget(self._fresh)
            if isinstance(error, RecursionError):
                raise UncrossableError("the value is nested too deeply to cross") from None
            raise
        finally:
            values.clear()
        abandoned = self._abandoned()
        return f"[{head},{_DUMPS(abandoned) if abandoned else '[]'}]".encode("ascii")

    def decode(self, body: bytes) -> tuple[str, list[Any]]:
        """The verb and the values of the other side's message, after its news of shared containers.

        Raises:
            ProtocolError: it is no message.
        """
        self._decoding += 1
        try:
            (verb, encoded, created, changed), abandoned = _LOADS(body.decode("ascii"))
            if type(verb) is not str:
                raise ProtocolError("a message without a verb")
            for number, name, *limit in created:
                self._adopt(number, name, *limit)
            for number, content in changed:
                self._fill(number, content)
            values = [self._decode(value, 0) for value in encoded]
            self._forget(abandoned)
        except _MALFORMED as error:
            raise ProtocolError(f"{type(error).__name__}: {error}") from None
        finally:
            self._decoding -= 1
        return verb, values

    def _encode_other(self, value: Any) -> list[Any]:
        raise UncrossableError(f"a {type(value).__name__} cannot cross")

    def _decode_other(self, tag: str, content: list[Any]) -> Any:
        raise ProtocolError(f"unknown tag {tag!r}")

    def _encode(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is int:
            return value if -INT64 <= value < INT64 else ["int", hex(value)]
        if kind in CONTAINERS:
            return ["at", self._number(value)]
        if depth > MAX_DEPTH:
            raise UncrossableError("the value is nested too deeply to cross")
        if kind is tuple:
            return ["tuple", *[self._encode(item, depth + 1) for item in value]]
        if kind is frozenset:
            return ["frozenset", *[self._encode(item, depth + 1) for item in value]]
        atom = ATOMS.get(kind)
        if atom is not None:
            return [atom.name, *[self._encode(item, depth + 1) for item in atom.take(value)]]
        if kind is type and value in NAMED:
            return ["type", NAMED[value]]
        if value is Ellipsis or value is NotImplemented:
            return [str(value)]
        if id(value) in CONSTANT_NAMES:
            return ["constant", CONSTANT_NAMES[id(value)]]
        return self._encode_other(value)

    def _decode(self, data: Any, depth: int = 0) -> Any:
        if type(data) is not list:
            return data
        if depth > MAX_DEPTH:
            raise ProtocolError("nested too deeply")
        tag, *content = data
        if tag == "at":
            return self._shared[content[0]].value
        if tag == "int":
            return int(content[0], 16)
        if tag == "tuple":
            return tuple(self._decode(item, depth + 1) for item in content)
        if tag == "frozenset":
            return frozenset(self._decode(item, depth + 1) for item in content)
        if tag in MAKERS:
            return MAKERS[tag](*[self._decode(item, depth + 1) for item in content])
        if tag == "type":
            return TYPES[content[0]]
        if tag == "constant":
            return CONSTANTS[content[0]]
        if tag in ("Ellipsis", "NotImplemented"):
            return Ellipsis if tag == "Ellipsis" else NotImplemented
        return self._decode_other(tag, content)

    def _number(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number, self._next = self._next, self._next + 2
            self._shared[number] = _Shared(value, CONTAINERS[type(value)], "")
            self._numbers[id(value)] = number
            self._fresh.append(number)
        return number

    def _contents(self, changed: list[Any]) -> None:
        """Append to ``changed`` the content of each shared container that the other side does not know."""
        pending = list(self._shared)
        while pending:
            seen = len(self._fresh)
            for number in pending:
                shared = self._shared[number]
                if shared.text is None:
                    continue
                content = [self._encode(item, 0) for item in shared.container.items(shared.value)]
                text = _DUMPS(content)
                if text != shared.text:
                    shared.text = text
                    changed.append([number, content])
            pending = self._fresh[seen:]  # what the contents brought in

    def _creation(self, number: int) -> list[Any]:
        shared = self._shared[number]
        if type(shared.value) is deque and shared.value.maxlen is not None:
            return [shared.container.name, shared.value.maxlen]
        return [shared.container.name]

    def _adopt(self, number: Any, name: str, *limit: int) -> None:
        if type(number) is not int or number in self._shared:
            raise ProtocolError("a container is numbered anew")
        container = _BY_NAME[name]
        value = deque(maxlen=limit[0]) if limit else container.new()
        self._shared[number] = _Shared(value, container, None)
        self._numbers[id(value)] = number

    def _fill(self, number: int, content: list[Any]) -> None:
        shared = self._shared[number]
        shared.text = None  # a hash or a comparison while filling may ask the other side
        shared.container.fill(shared.value, [self._decode(item, 0) for item in content])
        shared.text = _DUMPS(content)

    def _abandoned(self) -> list[int]:
        """Forget the shared containers that nothing here refers to but this exchange; their numbers."""
        gone = list[int]()
        while not self._decoding:
            alone = [number for number, shared in self._shared.items() if sys.getrefcount(shared.value) == _ALONE]
            if not alone:
                break
            self._forget(alone)  # which may leave what they held alone
            gone += alone
        return gone

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            shared = self._shared.pop(number, None)
            if shared is not None:
                del self._numbers[id(shared.value)]


def _refuse_objects(pairs: list[tuple[str, Any]]) -> Any:
    raise ProtocolError("a JSON object")  # the protocol has none, and its keys could be made to collide


# Made once: the functions of the module make one for each call.
_LOADS = json.JSONDecoder(object_pairs_hook=_refuse_objects).decode
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError)
_probe = _Shared([], CONTAINERS[list], "")
_ALONE = sys.getrefcount(_probe.value)  # of a value that only its _Shared refers to
