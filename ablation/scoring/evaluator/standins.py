"""What stands in the evaluator for a candidate's functions, classes, instances and modules.

A stand-in holds no data: every question goes to the candidate's process, every answer comes back as data
or as another stand-in. Python looks operations up on the class, so the stand-in of a class is a class made
with exactly the operations that the candidate's class defines.
"""

import contextlib
import inspect
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.scoring.evaluator.peer import EvaluatorPeer


class RemoteType(type):
    """The class of stand-in classes."""

    _remote_peer: "EvaluatorPeer"
    _remote_class: int  # its number
    _remote_data: dict[str, Any]  # of a class statement in the tests: what it assigns

    def __new__(
        mcs, name: str, bases: tuple[type, ...], space: dict[str, Any], /, made_here: bool = False, **options: Any
    ) -> "RemoteType":
        if not made_here:  # a class statement in the tests: the candidate's process gets a class that calls back
            peer = next(base._remote_peer for base in bases if isinstance(base, RemoteType))
            number = peer.request("derive", name, bases, _parts(space), options)
            # Its data lives there, where it may be a descriptor.
            data = {part: value for part, value in space.items() if not _stays(part, value)}
            kept = {part: value for part, value in space.items() if part not in data}
            space = {"__slots__": (), **kept, "_remote_peer": peer, "_remote_class": number, "_remote_data": data}
        cls = super().__new__(mcs, name, bases, space)
        if not made_here:
            peer.adopt(number, cls)
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any], /, **options: Any) -> None:
        super().__init__(name, bases, space)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._remote_peer.request("call", cls, None, args, kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name in _LOCAL:
            raise AttributeError(name)
        return cls._remote_peer.request("get", cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in _LOCAL or name.startswith("_abc_"):
            super().__setattr__(name, value)
        elif name in (data := _own_space(cls).get("_remote_data", ())):
            data[name] = value
            cls._remote_peer.request("set", cls, name, value)
        else:
            _patch(cls._remote_peer, cls, name, value)

    def __delattr__(cls, name: str) -> None:
        if name in (data := _own_space(cls).get("_remote_data", ())):
            del data[name]
            cls._remote_peer.request("delete", cls, name)
        else:
            _unpatch(cls._remote_peer, cls, name)

    @property  # type: ignore[misc]
    def __dict__(cls) -> Any:  # type: ignore[override]
        space = _own_space(cls)
        return types.MappingProxyType({**space, **space["_remote_data"]}) if "_remote_data" in space else space

    @property
    def __doc__(cls) -> Any:  # type: ignore[override]
        return cls._remote_peer.request("get", cls, "__doc__")

    def __iter__(cls) -> Any:
        return cls._remote_peer.operate("__iter__", cls)

    def __len__(cls) -> Any:
        return cls._remote_peer.operate("__len__", cls)

    def __bool__(cls) -> bool:
        return True

    def __getitem__(cls, key: Any) -> Any:
        return cls._remote_peer.operate("__getitem__", cls, key)

    def __contains__(cls, item: Any) -> Any:
        return cls._remote_peer.operate("__contains__", cls, item)


_LOCAL = frozenset(
    [
        "_remote_base",
        "__test__",
        "__wrapped__",
        "__signature__",
        "__isabstractmethod__",
        "__set_name__",
        "__bases__",
        "__orig_bases__",
        "__class_getitem__",
        "__parameters__",
        "__type_params__",
        "__text_signature__",
        "__module__",
    ]
)
_CODE = (types.FunctionType, staticmethod, classmethod, property)
_own_space = type.__dict__["__dict__"].__get__  # what a class itself holds here


def _stays(name: str, value: Any) -> bool:
    """Whether a part of a class statement of the tests is kept here too, and not only where the candidate is."""
    return name.startswith("__") or isinstance(value, _CODE)


class Remote:
    """An instance of a candidate's class."""

    __slots__ = ("_remote_number",)
    _remote_number: int
    _remote_peer: "EvaluatorPeer"  # of the class

    def __getattr__(self, name: str) -> Any:
        if name in ("__wrapped__", "__test__"):
            raise AttributeError(name)
        return self._remote_peer.request("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._remote_peer.request("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._remote_peer.request("delete", self, name)

    def __copy__(self) -> Any:
        return self._remote_peer.operate("__copy__", self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._remote_peer.operate("__deepcopy__", self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        copied = self._remote_peer.operate("pickle", self, int(protocol))
        _PICKLED.append(copied)
        return _unpickled, (len(_PICKLED) - 1, int(protocol))

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return self._remote_peer.request("get", self, "__dict__")


class RemoteTuple(tuple):
    """A named tuple of the candidate: its items are data, so it is compared here, as a tuple is."""

    _remote_peer: "EvaluatorPeer"
    _fields: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        return self._remote_peer.request("get", self, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in zip(self._fields, self, strict=True))})"

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def _replace(self, **changes: Any) -> Any:
        return self._remote_peer.request("call", self, "_replace", (), changes)


class RemoteFunction:
    """A function, method or other callable of the candidate."""

    def __init__(self, peer: "EvaluatorPeer", number: int, name: str) -> None:
        self.__dict__.update(_remote_peer=peer, _remote_number=number, __name__=name, __qualname__=name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._remote_peer.request("call", self, None, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in _LOCAL:
            raise AttributeError(name)
        return self.__dict__["_remote_peer"].request("get", self, name)

    @property
    def __signature__(self) -> inspect.Signature:
        parts = self._remote_peer.request("signature", self)
        return inspect.Signature([inspect.Parameter(*part[:2], **dict(part[2])) for part in parts])

    def __setattr__(self, name: str, value: Any) -> None:
        self._remote_peer.request("set", self, name, value)

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self._remote_peer.request("get", self, "__doc__")


class RemoteModule(types.ModuleType):
    """A module of the candidate's process."""

    def __init__(self, peer: "EvaluatorPeer", number: int, name: str) -> None:
        super().__init__(name)
        self.__dict__.update(_remote_peer=peer, _remote_number=number, __file__=f"{name}.py")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__["_remote_peer"].request("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _patch(self.__dict__["_remote_peer"], self, name, value)

    def __delattr__(self, name: str) -> None:
        _unpatch(self.__dict__["_remote_peer"], self, name)


def _patch(peer: "EvaluatorPeer", target: Any, name: str, value: Any) -> None:
    """Set an attribute of a module or class, and remember what it was."""
    key = (number_of(target, peer), name)
    if key not in peer.patched:
        with contextlib.suppress(AttributeError):
            peer.patched[key] = peer.request("get", target, name)
    peer.request("set", target, name, value)


def _unpatch(peer: "EvaluatorPeer", target: Any, name: str) -> None:
    """Delete an attribute of a module or class; what it was before a test set it comes back.

    Patching tools look into ``__dict__`` for what was there, do not find it in a stand-in, and so delete.
    """
    key = (number_of(target, peer), name)
    if key in peer.patched:
        peer.request("set", target, name, peer.patched.pop(key))
    else:
        peer.request("delete", target, name)


def number_of(value: Any, peer: "EvaluatorPeer") -> int | None:
    """The number of what ``value`` stands for with the candidate of ``peer``; None when it stands for nothing."""
    kind = type(value)
    if kind is RemoteFunction or kind is RemoteModule:
        space = value.__dict__
    elif issubclass(kind, RemoteType):
        return value._remote_class if value._remote_peer is peer else None
    elif issubclass(kind, Remote):
        return value._remote_number if value._remote_peer is peer else None
    elif isinstance(kind, RemoteType) and issubclass(kind, BaseException):
        of_peer = type.__getattribute__(kind, "_remote_peer") is peer
        return BaseException.__getattribute__(value, "_remote_number") if of_peer else None
    else:
        return None
    return space["_remote_number"] if space["_remote_peer"] is peer else None


def builtin_base(kind: Any) -> type | None:
    """The builtin type that the class which ``kind`` stands for derives from; None for other classes."""
    return getattr(kind, "_remote_base", None) if isinstance(kind, RemoteType) else None


def is_candidates(value: Any) -> bool:
    """Whether ``value`` stands for something of a candidate."""
    return issubclass(type(value), Remote | RemoteFunction | RemoteModule | RemoteType) or isinstance(
        type(value), RemoteType
    )


def kind_of(value: Any) -> str:
    """What is told apart in judging: something of the candidate, or a type of builtin value."""
    return "candidate" if is_candidates(value) else type(value).__name__


def _parts(space: dict[str, Any]) -> tuple[Any, ...]:
    """The content of a class statement as (name, how, value): how to rebuild it from callables of the tests."""
    parts = list[Any]()
    for name, value in space.items():
        if name in ("__module__", "__qualname__", "__classcell__", "__slots__", "__annotations__", "__doc__"):
            continue
        if isinstance(value, types.FunctionType):
            parts.append((name, "function", value))
        elif isinstance(value, staticmethod | classmethod):
            parts.append((name, type(value).__name__, value.__func__))
        elif isinstance(value, property):
            parts.append((name, "property", (value.fget, value.fset, value.fdel)))
        else:
            parts.append((name, "value", value))
    return tuple(parts)


_PICKLED: list[Any] = []  # what the tests pickled with this candidate


def forget_pickles() -> None:
    """Drop what the tests pickled with an earlier candidate."""
    _PICKLED.clear()


def _unpickled(index: int, protocol: int) -> Any:
    original = _PICKLED[index]
    return original._remote_peer.operate("pickle", original, protocol)
