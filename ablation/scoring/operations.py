"""The operations that one side may ask of the other's objects, and what tests commonly replace.

Python looks an operation up on the class; here each has the name of its special method and is asked for by
that name, so that ``a + b`` on one side is ``operator.add(a, b)`` on the other.
"""

import builtins
import copy
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any


def _run_to_the_end(coroutine: Any) -> Any:
    import asyncio  # large, and rarely needed: every fork of the candidate server would pay for its pages

    return asyncio.run(coroutine)


def _swapped(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: function(right, left)


BINARY = ["add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor"]
OPERATIONS: dict[str, Callable[..., Any]] = {
    **{f"__{name}__": getattr(operator, f"__{name}__") for name in BINARY},
    **{f"__r{name}__": _swapped(getattr(operator, f"__{name}__")) for name in BINARY},
    **{f"__i{name}__": getattr(operator, f"__i{name}__") for name in BINARY},
    **{
        f"__{name}__": getattr(operator, f"__{name}__")
        for name in ["eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "invert"]
    },
    **{
        f"__{name}__": getattr(operator, f"__{name}__")
        for name in ["abs", "contains", "getitem", "setitem", "delitem", "index"]
    },
    **{
        f"__{name}__": getattr(builtins, name)
        for name in ["len", "iter", "next", "reversed", "bool", "int", "float", "complex"]
    },
    **{
        f"__{name}__": getattr(builtins, name) for name in ["hash", "str", "repr", "format", "bytes", "round", "divmod"]
    },
    "__call__": lambda target, *args: target(*args),
    "__enter__": lambda target: type(target).__enter__(target),
    "__exit__": lambda target, *about: type(target).__exit__(target, *about),
}
OPERATIONS["pickle"] = lambda target, protocol: pickle.loads(pickle.dumps(target, protocol))
OPERATIONS["await"] = _run_to_the_end
for _name in ("trunc", "floor", "ceil"):
    OPERATIONS[f"__{_name}__"] = getattr(math, _name)
for _name in ("copy", "deepcopy"):
    OPERATIONS[f"__{_name}__"] = getattr(copy, _name)

PATCHABLE: tuple[tuple[str, str], ...] = (
    *[("builtins", name) for name in ("input", "print", "open")],
    *[
        ("random", name)
        for name in ["random", "randint", "randrange", "choice", "choices", "shuffle", "sample", "uniform", "gauss"]
    ],
    *[("time", name) for name in ["time", "sleep", "monotonic", "perf_counter"]],
    ("os", "getcwd"),
)
"""Module and name of what tests commonly replace, for the candidate to find replaced."""

JUDGING: frozenset[str] = frozenset(
    [f"__{name}__" for name in ["eq", "ne", "lt", "le", "gt", "ge", "contains", "bool", "divmod"]]
    + [f"__{side}{name}__" for side in ("", "r", "i") for name in BINARY]
)
"""Operations that a test takes for the truth, or that show an object what it is compared with."""


JUDGING_METHODS: frozenset[str] = frozenset(
    {"difference", "symmetric_difference", "intersection", "union", "issubset", "issuperset", "isdisjoint"}
    | {"startswith", "endswith"}
)
"""Methods of the same kind, by which unittest compares sets and tests look at texts."""

CONTENT: frozenset[str] = frozenset(["__len__", "__iter__", "__getitem__", "__contains__"])
"""Operations that show what a container holds."""


def operations_of(kind: type) -> list[str]:
    """The operations that a class or its bases define, ``object`` apart."""
    spaces = [vars(base) for base in kind.__mro__ if base is not object]
    return [name for name in OPERATIONS if name.startswith("__") and any(name in space for space in spaces)]
