"""Which values cross between evaluator and candidate as plain data, and how.

``to_data`` maps a value of an exact, immutable type to something JSON can carry; ``from_data`` builds it
anew on the other side, from data alone. Subclasses are not data: what a candidate defines never becomes a
value that the evaluator would trust. Containers that can change are in ``exchange``.
"""

import base64
import dataclasses
import re
import types
import uuid
import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any, NamedTuple

PLAIN: frozenset[type] = frozenset({type(None), bool, str, float})  # JSON's own; Python's reads and writes nan and inf
INT64 = 1 << 63  # larger integers cross as hexadecimal digits: decimal ones take quadratic time


class Atom(NamedTuple):
    """How one type crosses: ``take`` apart into values that cross themselves, ``make`` from these."""

    name: str
    take: Callable[[Any], tuple[Any, ...]]
    make: Callable[..., Any]


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _zone(offset: timedelta, name: str | None) -> timezone:
    return timezone(offset) if name is None else timezone(offset, name)


def _take_zone(zone: timezone) -> tuple[Any, ...]:
    return zone.__getinitargs__()  # type: ignore[attr-defined]


def _pattern(source: str | bytes, flags: int) -> re.Pattern[Any]:
    return re.compile(source, flags & ~re.DEBUG.value)


def _fraction(numerator: int, denominator: int) -> Fraction:
    if type(numerator) is not int or type(denominator) is not int:  # "1e999999999" would take for ever
        raise TypeError("a fraction of what is no integer")
    return Fraction(numerator, denominator)


def _moment(moment: datetime) -> tuple[Any, ...]:
    clock = (moment.hour, moment.minute, moment.second, moment.microsecond)
    return (moment.year, moment.month, moment.day, *clock, moment.tzinfo, moment.fold)


ATOMS: dict[type, Atom] = {
    bytes: Atom("bytes", lambda v: (base64.b64encode(v).decode(),), _bytes),
    complex: Atom("complex", lambda v: (v.real, v.imag), complex),
    range: Atom("range", lambda v: (v.start, v.stop, v.step), range),
    slice: Atom("slice", lambda v: (v.start, v.stop, v.step), slice),
    Decimal: Atom("Decimal", lambda v: (str(v),), Decimal),
    Fraction: Atom("Fraction", lambda v: (v.numerator, v.denominator), _fraction),
    date: Atom("date", lambda v: (v.year, v.month, v.day), date),
    datetime: Atom("datetime", _moment, lambda *a: datetime(*a[:-1], fold=a[-1])),
    time: Atom(
        "time",
        lambda v: (v.hour, v.minute, v.second, v.microsecond, v.tzinfo, v.fold),
        lambda *a: time(*a[:-1], fold=a[-1]),
    ),
    timedelta: Atom("timedelta", lambda v: (v.days, v.seconds, v.microseconds), timedelta),
    timezone: Atom("timezone", lambda v: (*_take_zone(v), None)[:2], _zone),
    zoneinfo.ZoneInfo: Atom("ZoneInfo", lambda v: (v.key,), zoneinfo.ZoneInfo),
    uuid.UUID: Atom("UUID", lambda v: (v.int,), lambda n: uuid.UUID(int=n)),
    PosixPath: Atom("PosixPath", lambda v: (str(v),), PosixPath),
    PurePosixPath: Atom("PurePosixPath", lambda v: (str(v),), PurePosixPath),
    re.Pattern: Atom("Pattern", lambda v: (v.pattern, v.flags), _pattern),
    # A view is data only when its dict is one; the evaluator gets a view of its own.
    type({}.keys()): Atom("dict_keys", tuple, lambda *keys: dict.fromkeys(keys).keys()),
    type({}.items()): Atom("dict_items", tuple, lambda *items: dict(items).items()),
    type({}.values()): Atom("dict_values", tuple, lambda *values: dict(enumerate(values)).values()),
    types.MappingProxyType: Atom(
        "mappingproxy", lambda v: tuple(v.items()), lambda *items: types.MappingProxyType(dict(items))
    ),
}
MAKERS: dict[str, Callable[..., Any]] = {atom.name: atom.make for atom in ATOMS.values()}

NAMED: dict[type, str] = {
    kind: kind.__name__
    for kind in (
        *(bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, object, type),
        *(range, slice, type(None), Decimal, Fraction, date, datetime, time, timedelta),
        types.FunctionType,
    )
}
"""Types that cross by name, as in ``field_type is int``."""
CONSTANTS: dict[str, object] = {
    name: getattr(dataclasses, name) for name in ("MISSING", "KW_ONLY", "_FIELD", "_FIELD_CLASSVAR", "_FIELD_INITVAR")
}
"""Objects of the standard library that are told apart by identity."""
CONSTANT_NAMES: dict[int, str] = {id(value): name for name, value in CONSTANTS.items()}
TYPES: dict[str, type] = {name: kind for kind, name in NAMED.items()}
