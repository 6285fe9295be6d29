"""Good problems around classes: accounts, exceptions of their own, queues, context managers, dataclasses, operators."""

import random
from textwrap import dedent

from ..words import Words
from .functions import Family, Piece


def account(c: random.Random, w: Words) -> Piece:
    name, fee, low = w.kind(), c.randint(1, 5), c.randint(0, 30)
    says = (
        f"Write a class {name} for accounts that cost something. {name}(owner, balance=0) keeps both as attributes. "
        f"`deposit(amount)` adds to the balance. `withdraw(amount)` takes amount and a fee of {fee}; where less than "
        f"{low} would be left it raises `{name}Error`, a ValueError, and changes nothing. Both return the new balance."
    )
    code = f"""
        class {name}Error(ValueError):
            pass


        class {name}:
            def __init__(self, owner, balance=0):
                self.owner = owner
                self.balance = balance

            def deposit(self, amount):
                self.balance += amount
                return self.balance

            def withdraw(self, amount):
                left = self.balance - amount - {fee}
                if left < {low}:
                    raise {name}Error(f"{{left}} would be left")
                self.balance = left
                return left
        """
    calls = [f"{name}({w.noun()!r}, {c.randint(100, 900)}).withdraw({c.randint(5, 60)})" for _ in range(3)]
    calls += [f"{name}({w.noun()!r}).deposit({c.randint(5, 60)})", f"{name}('x', {c.randint(5, 99)}).balance"]
    more = f"""
        def test_refused():
            box = {name}("y", {low})
            with pytest.raises({name}Error):
                box.withdraw(1)
            assert box.balance == {low}
        """
    imports = ("import pytest", f"from solution import {name}Error")
    return Piece(name, f"class {name}:", says, dedent(code).lstrip(), calls, imports, dedent(more))


def vectors(c: random.Random, w: Words) -> Piece:
    name, factor = w.kind(), c.randint(2, 9)
    says = (
        f"Implement `{name}(x, y)`, a point of the plane with attributes `x` and `y`. Points can be added and "
        f"subtracted, are equal where both coordinates are, and `norm()` gives |x| + {factor}·|y|."
    )
    code = f"""
        class {name}:
            def __init__(self, x, y):
                self.x, self.y = x, y

            def __add__(self, other):
                return {name}(self.x + other.x, self.y + other.y)

            def __sub__(self, other):
                return {name}(self.x - other.x, self.y - other.y)

            def __eq__(self, other):
                return (self.x, self.y) == (other.x, other.y)

            def norm(self):
                return abs(self.x) + {factor} * abs(self.y)
        """
    n = lambda: c.randint(-30, 30)  # noqa: E731
    calls = [f"({name}({n()}, {n()}) + {name}({n()}, {n()})).x", f"({name}({n()}, {n()}) - {name}({n()}, {n()})).y"]
    calls += [f"{name}({n()}, {n()}).norm()" for _ in range(3)] + [f"({name}({n()}, 4) + {name}(1, {n()})).norm()"]
    return Piece(name, f"class {name}:", says, dedent(code).lstrip(), calls)


def recent(c: random.Random, w: Words) -> Piece:
    name, size = w.kind(), c.randint(2, 4)
    says = (
        f"`{name}()` remembers values by key, but only the {size} that were used last. `put(key, value)` stores, "
        "`get(key)` returns the value or None, and both count as a use; `keys()` lists the keys from the longest "
        "unused to the last used."
    )
    code = f"""
        class {name}:
            def __init__(self):
                self._kept = {{}}

            def put(self, key, value):
                self._kept.pop(key, None)
                self._kept[key] = value
                if len(self._kept) > {size}:
                    del self._kept[next(iter(self._kept))]

            def get(self, key):
                if key not in self._kept:
                    return None
                self._kept[key] = value = self._kept.pop(key)
                return value

            def keys(self):
                return list(self._kept)
        """
    more = "".join(
        f"""

        def test_use_{n}():
            cache = {name}()
            for key, value in {[(c.choice("abcdef"), c.randint(1, 99)) for _ in range(7)]!r}:
                cache.put(key, value)
            cache.get({c.choice("abcdef")!r})
            EXPECT cache.keys()
        """
        for n in range(5)
    )
    return Piece(name, f"class {name}:", says, dedent(code).lstrip(), [], (), dedent(more))


def journal(c: random.Random, w: Words) -> Piece:
    name, tag = w.kind(), w.noun()
    says = (
        f"Build `{name}`, a context manager that writes down what happens: its attribute `lines` is a list. On entry "
        f"it gets `{tag} opened`, on a normal exit `{tag} closed`, on an exception `{tag} failed: ` "
        f"followed by the name "
        "of the exception's class, which is not passed on. Within the block `note(text)` adds the text."
    )
    code = f"""
        class {name}:
            def __init__(self):
                self.lines = []

            def __enter__(self):
                self.lines.append({tag + " opened"!r})
                return self

            def note(self, text):
                self.lines.append(text)

            def __exit__(self, kind, error, trace):
                self.lines.append({tag + " closed"!r} if kind is None else {tag + " failed: "!r} + kind.__name__)
                return True
        """
    more = "".join(
        f"""

        def test_notes_{n}():
            with {name}() as journal:
                journal.note({w.text(2)!r})
            EXPECT journal.lines
        """
        for n in range(4)
    )
    return Piece(name, f"class {name}:", says, dedent(code).lstrip(), [], (), dedent(more))


def parcels(c: random.Random, w: Words) -> Piece:
    name, kind, per = w.function(), w.kind(), c.randint(2, 9)
    says = (
        f"Define a dataclass `{kind}` with the fields `label` and `weight`, and the function `{name}(parcels)`, which "
        f"returns a list of {kind} without those lighter than {per}, heaviest first, equal weights by label."
    )
    code = f"""
        from dataclasses import dataclass


        @dataclass
        class {kind}:
            label: str
            weight: int


        def {name}(parcels):
            heavy = [parcel for parcel in parcels if parcel.weight >= {per}]
            return sorted(heavy, key=lambda parcel: (-parcel.weight, parcel.label))
        """
    calls = []
    for _ in range(6):
        made = ", ".join(f"{kind}({w.noun()!r}, {c.randint(1, 20)})" for _ in range(4))
        calls.append(f"[(p.label, p.weight) for p in {name}([{made}])]")
    return Piece(name, f"def {name}(parcels):", says, dedent(code).lstrip(), calls, (f"from solution import {kind}",))


def lights(c: random.Random, w: Words) -> Piece:
    name, colours = w.kind(), c.sample(("RED", "AMBER", "GREEN", "BLUE", "WHITE"), 3)
    says = (
        f"Write an enumeration `{name}` (`enum.Enum`) with the members {', '.join(colours)}, whose values are 1, 2 and "
        "3, and a method `after(steps)` that gives the member so many steps on, beginning again after the last."
    )
    code = f"""
        import enum


        class {name}(enum.Enum):
            {colours[0]} = 1
            {colours[1]} = 2
            {colours[2]} = 3

            def after(self, steps):
                return {name}((self.value - 1 + steps) % 3 + 1)
        """
    calls = [f"{name}.{c.choice(colours)}.after({n}).name" for n in c.sample(range(1, 40), 6)]
    return Piece(name, f"class {name}:", says, dedent(code).lstrip(), calls)


def counted(c: random.Random, w: Words) -> Piece:
    name, more_than = w.function(), c.randint(1, 3)
    says = (
        f"Write a decorator `{name}`: the decorated function returns a pair of what it returned before "
        f"and the number of "
        f"its calls so far. From call {more_than + 2} on it raises RuntimeError instead."
    )
    code = f"""
        def {name}(function):
            calls = 0

            def counting(*arguments):
                nonlocal calls
                calls += 1
                if calls > {more_than + 1}:
                    raise RuntimeError("called too often")
                return function(*arguments), calls

            return counting
        """
    calls = [f"{name}(lambda a, b: a * b + {n})({c.randint(2, 9)}, {c.randint(2, 9)})" for n in c.sample(range(60), 5)]
    more = f"""
        def test_too_often():
            f = {name}(len)
            for _ in range({more_than + 1}):
                f("abc")
            with pytest.raises(RuntimeError):
                f("abc")
        """
    return Piece(name, f"def {name}(function):", says, dedent(code).lstrip(), calls, ("import pytest",), dedent(more))


def given_helper(c: random.Random, w: Words) -> Piece:
    name, helper, size = w.function(), w.function(), c.randint(3, 7)
    given = f"def {helper}(items):\n    return [items[i : i + {size}] for i in range(0, len(items), {size})]\n"
    says = (
        f"There is a helper that you may use; put it into your module:\n\n```python\n{given}```\n\nWith it, write "
        f"`{name}(items)`. It returns the largest sum that a piece has, of those whose first number is "
        f"odd, and 0 where there is none."
    )
    code = (
        given
        + f"""

def {name}(items):
    best = 0
    for piece in {helper}(items):
        if piece[0] % 2 and sum(piece) > best:
            best = sum(piece)
    return best
"""
    )
    calls = [f"{name}({[c.randint(0, 50) for _ in range(c.randint(9, 16))]!r})" for _ in range(6)]
    return Piece(name, f"def {name}(items):", says, code, calls)


CLASSES: tuple[Family, ...] = (account, recent, parcels, counted, journal, vectors, lights, given_helper)
