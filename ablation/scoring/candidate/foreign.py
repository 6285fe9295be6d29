"""What of the tests a candidate sees: callables that can be called, objects with what is public of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablation.scoring.candidate.peer import CandidatePeer


class Foreign:
    """Something of the evaluator's, as a candidate sees it. What it is stays on the other side."""

    def __init__(self, peer: "CandidatePeer", number: int) -> None:
        self.__dict__.update(_peer=peer, _number=number)


class ForeignFunction(Foreign):
    """A callable that a test passed in: it can be called, and nothing else."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__dict__["_peer"].request("call", self, None, args, kwargs)


class ForeignObject(Foreign):
    """An object that a test passed in, with its public attributes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.__dict__["_peer"].request("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_peer"].request("set", self, name, value)


class ForeignError(Exception):
    """Stands for an exception class that the tests define."""


def foreign_operation(name: str) -> Any:
    def operate(self: Foreign, *operands: Any) -> Any:
        return self.__dict__["_peer"].request("operate", name, (self, *operands))

    return operate


def rebuilt(how: str, value: Any) -> Any:
    if how == "property":
        return property(*[None if part is None else _bindable(part) for part in value])
    if how in ("staticmethod", "classmethod"):
        return {"staticmethod": staticmethod, "classmethod": classmethod}[how](_bindable(value))
    return _bindable(value) if how == "function" else value


def _bindable(function: ForeignFunction) -> Any:
    """A real function around a callable of the tests, so that it binds to instances."""

    def method(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    method.__name__ = getattr(function, "__name__", "method")
    return method
