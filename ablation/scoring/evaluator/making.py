"""Make the stand-ins of a candidate's classes, instances, exceptions, generators and coroutines."""

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from ablation.scoring.evaluator.standins import Remote, RemoteFunction, RemoteTuple, RemoteType

if TYPE_CHECKING:
    from ablation.scoring.evaluator.peer import EvaluatorPeer

_DATA = (int, float, str, bytes, tuple, list, set, frozenset, dict)


class Description(NamedTuple):
    """What a candidate's process says of a class."""

    name: str
    qualname: str
    module: str
    bases: tuple[Any, ...]
    operations: tuple[str, ...]  # that it or its bases define
    missing: tuple[str, ...]  # that it sets to None, as ``__hash__``
    methods: tuple[str, ...]  # plain functions: not static, not of the class
    fields: tuple[str, ...] | None  # of a named tuple


def instance(peer: "EvaluatorPeer", number: int, kind: Any) -> Any:
    """The stand-in of an instance of the class that ``kind`` stands for."""
    if not (isinstance(kind, RemoteType) and issubclass(kind, Remote)):
        raise TypeError("an instance of what is no class of the candidate")
    stand_in = object.__new__(kind)
    _NUMBER.__set__(stand_in, number)
    return stand_in


def exception(peer: "EvaluatorPeer", number: int, kind: Any, args: Any, text: str) -> BaseException:
    """The stand-in of an exception of the class that ``kind`` stands for."""
    error: BaseException = kind.__new__(kind)
    BaseException.__setattr__(error, "args", args)
    if isinstance(error, OSError):  # whose attributes are no part of its dictionary
        for name, value in zip(("errno", "strerror", "filename"), args, strict=False):
            BaseException.__setattr__(error, name, value)
    error.__dict__.update(_remote_number=number, _remote_text=text)
    return error


def library_exception(kind: type[BaseException], args: Any, attributes: dict[str, Any]) -> BaseException:
    """An exception of the standard library, from its arguments alone."""
    try:
        error = kind(*args) if kind.__module__ == "builtins" else kind.__new__(kind, *args)
    except Exception:  # its arguments were not kept, as in some constructors
        error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


def stand_in_class(peer: "EvaluatorPeer", number: int, about: Description) -> RemoteType:
    """The stand-in of a class: with its operations, under the stand-ins of its bases."""
    errors = [base for base in about.bases if isinstance(base, type) and issubclass(base, BaseException)]
    remote = [base for base in about.bases if isinstance(base, RemoteType)]
    owner: list[RemoteType] = []
    space: dict[str, Any] = {
        **{name: _method(name, owner) for name in ("__init__", *about.methods)},
        **{name: _operation(name, owner) for name in about.operations if name != "__call__"},
        **dict.fromkeys(about.missing),
    }
    if "__call__" in about.operations:
        space["__call__"] = _method("__call__", owner)
    bases: tuple[type, ...] = tuple(remote) or (Remote,)
    if errors:
        bases = tuple(base for base in about.bases if base in errors)
        space |= {"__getattr__": _error_attribute, "__setattr__": _set_error_attribute, "__str__": _error_text}
        space.pop("__repr__", None)
    elif about.fields is not None:
        bases = (RemoteTuple,)
        space = {name: value for name, value in space.items() if name not in vars(tuple)} | {"_fields": about.fields}
        space |= {name: property(itemgetter(index)) for index, name in enumerate(about.fields)}
    else:
        space |= {
            "__slots__": (),
            "__doc__": property(lambda self: type(self)._remote_peer.request("get", self, "__doc__")),
        }
    space |= {"_remote_peer": peer, "_remote_class": number}
    data = [base for base in about.bases if base in _DATA]
    if data and issubclass(bases[0], Remote):
        shadow = type(about.name, (data[0],), {"__module__": about.module})
        # Its equality is that of its data, which is compared here; isinstance believes __class__.
        space |= {"_remote_base": data[0], "__class__": property(lambda self: shadow)}
        space |= {name: _operation(name, owner) for name in ("__eq__", "__ne__")}
    space |= {"__module__": about.module, "__qualname__": about.qualname}
    owner.append(RemoteType.__new__(RemoteType, about.name, bases, space, made_here=True))
    return owner[0]


def generator(peer: "EvaluatorPeer", number: int) -> Any:
    """A generator that asks the candidate's for each item."""
    remote = RemoteFunction(peer, number, "generator")

    def items() -> Any:
        sent = None
        while True:
            try:
                sent = yield peer.request("call", remote, "send", (sent,), {})
            except StopIteration as end:
                return end.value
            except GeneratorExit:
                peer.request("call", remote, "close", (), {})
                raise

    return items()


def coroutine(peer: "EvaluatorPeer", number: int) -> Any:
    """A coroutine that lets the candidate's process run its own to the end."""
    pending = RemoteFunction(peer, number, "coroutine")

    async def run() -> Any:
        return peer.request("operate", "await", (pending,))

    return run()


def _method(name: str, owner: list["RemoteType"]) -> Callable[..., Any]:
    """A method of the class in ``owner``: as the candidate's object has it, or by ``super()`` as that class has it."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        kind = type(self)
        if kind is owner[0] and name != "__init__":
            return kind._remote_peer.request("call", self, name, args, kwargs)
        return kind._remote_peer.request("call", owner[0], name, (self, *args), kwargs)

    method.__name__ = name
    return method


def _operation(name: str, owner: list["RemoteType"]) -> Callable[..., Any]:
    def operation(self: Any, *operands: Any) -> Any:
        kind = type(self)
        if kind is owner[0] or not _overrides(kind, name, owner[0]):
            return kind._remote_peer.operate(name, self, *operands)
        return kind._remote_peer.request("call", owner[0], name, (self, *operands), {})

    operation.__name__ = name
    return operation


def _overrides(kind: type, name: str, owner: type) -> bool:
    """Whether a class between ``kind`` and ``owner`` defines the operation itself."""
    return any(name in vars(base) for base in kind.__mro__[: kind.__mro__.index(owner)])


def _error_attribute(self: Any, name: str) -> Any:
    if name.startswith("__") or name in ("_remote_number", "_remote_text"):
        raise AttributeError(name)
    return type(self)._remote_peer.request("get", self, name)


def _set_error_attribute(self: Any, name: str, value: Any) -> None:
    if name.startswith("__") or name == "args":
        BaseException.__setattr__(self, name, value)
    else:
        type(self)._remote_peer.request("set", self, name, value)


def _error_text(self: Any) -> str:
    text: str = BaseException.__getattribute__(self, "__dict__").get("_remote_text", "")
    return text


_NUMBER: Any = vars(Remote)["_remote_number"]
