"""What a candidate's process says of its functions and data."""

import inspect
from typing import Any


def signature_parts(function: Any) -> tuple[Any, ...]:
    """The parameters of a function; annotations are left out."""
    return tuple(
        (one.name, int(one.kind), () if one.default is one.empty else (("default", one.default),))
        for one in inspect.signature(function).parameters.values()
    )


def data_of(value: Any) -> Any:
    """What an instance of a subclass of a builtin type is as such."""
    for base in type(value).__mro__:
        if base in _DATA:
            return _DATA[base](value)
    raise TypeError("no data")


_DATA: dict[type, Any] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: bytes(memoryview(value)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    list: lambda value: list(list.__iter__(value)),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    dict: lambda value: dict(dict.items(value)),
}
