"""Problems of many kinds: code that solves one, what it is about in words, and calls to ask about.

A problem is put together from steps that are drawn with their constants, so that no two are alike.
"""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from .words import Words


class Problem(NamedTuple):
    """``code`` defines ``name``; ``calls`` are expressions that use it, each with what it gives by running the code."""

    name: str
    signature: str
    says: str  # what is to be written, in words
    code: str
    calls: list[str]
    about_class: bool = False
    raising: tuple[str, str] | None = None  # a call that must raise, and what


Step = tuple[str, str]  # what is done in words, the expression over x


def _number_steps(c: random.Random) -> list[Step]:
    a, b, m = c.randint(2, 19), c.randint(2, 40), c.randint(3, 11)
    return [
        (f"keep the values above {b}", f"[v for v in x if v > {b}]"),
        (f"drop every value that {m} divides", f"[v for v in x if v % {m}]"),
        (f"multiply each by {a}", f"[v * {a} for v in x]"),
        (f"subtract {b} from each", f"[v - {b} for v in x]"),
        (f"replace each by its remainder modulo {m}", f"[v % {m} for v in x]"),
        ("square each value", "[v * v for v in x]"),
        ("sort from high to low", "sorted(x, reverse=True)"),
        ("turn the order around", "x[::-1]"),
        (f"cap each at {b + 30}", f"[min(v, {b + 30}) for v in x]"),
        ("leave out repeated values, keeping the first of each", "list(dict.fromkeys(x))"),
        ("replace each by the running total so far", "[sum(x[: i + 1]) for i in range(len(x))]"),
        ("take the differences between neighbours", "[q - p for p, q in zip(x, x[1:])]"),
    ]


def _number_ends(c: random.Random) -> list[Step]:
    k = c.randint(1, 3)
    return [
        ("return the resulting list", "x"),
        ("return their sum, increased by the count", "sum(x) + len(x)"),
        (f"return the last {k + 1} of them", f"x[-{k + 1}:]"),
        ("return a dict from each value to how often it occurs", "{v: x.count(v) for v in x}"),
        ("return the pair of smallest and largest, or None if nothing is left", "(min(x), max(x)) if x else None"),
        ("return their mean, 0.0 if nothing is left", "sum(x) / len(x) if x else 0.0"),
        ("return the values as a sorted list without repetition", "sorted(set(x))"),
        ("return a string of them joined by a dash", "'-'.join(map(str, x))"),
        ("return them as a set", "set(x)"),
    ]


def _text_steps(c: random.Random) -> list[Step]:
    n, letter, mark = c.randint(2, 6), c.choice("aeiort"), c.choice("_*+=~")
    return [
        ("make it upper case", "x.upper()"),
        ("capitalise every word", "x.title()"),
        (f"remove every letter {letter!r}", f"x.replace({letter!r}, '')"),
        (f"put {mark!r} where blanks are", f"x.replace(' ', {mark!r})"),
        ("reverse the order of the words", "' '.join(x.split()[::-1])"),
        ("reverse each word in its place", "' '.join(w[::-1] for w in x.split())"),
        (f"keep only words longer than {n} letters", f"' '.join(w for w in x.split() if len(w) > {n})"),
        ("swap upper and lower case", "x.swapcase()"),
        (f"cut each word to its first {n + 1} letters", f"' '.join(w[:{n + 1}] for w in x.split())"),
        ("sort the words by the alphabet", "' '.join(sorted(x.split()))"),
    ]


def _text_ends(c: random.Random) -> list[Step]:
    letter = c.choice("aeinot")
    return [
        ("return the text", "x"),
        ("return its words as a list", "x.split()"),
        (f"return how many times {letter!r} occurs, whatever the case", f"x.lower().count({letter!r})"),
        ("return a dict from each word to its length", "{w: len(w) for w in x.split()}"),
        ("return a pair of the text and its length", "(x, len(x))"),
        ("return whether it is longer than 12 characters, together with its first character", "(len(x) > 12, x[:1])"),
        ("return the set of its letters in lower case", "set(x.lower()) - {' '}"),
    ]


def _piped(c: random.Random, words: Words, steps: list[Step], ends: list[Step], values: Callable[[], Any]) -> Problem:
    name, parameter = words.function(), words.noun()
    chosen = [*c.sample(steps, c.choice((2, 2, 3))), c.choice(ends)]
    says = f"Given `{parameter}`, " + ", then ".join(what for what, _ in chosen) + "."
    body = [f"x = {parameter}", *(f"x = {how}" for _, how in chosen[:-1])]
    body += [f"return {chosen[-1][1]}"] if c.random() < 0.5 else [f"result = {chosen[-1][1]}", "return result"]
    code = f"def {name}({parameter}):\n" + "".join(f"    {line}\n" for line in body)
    return Problem(name, f"def {name}({parameter}):", says, code, [f"{name}({values()!r})" for _ in range(6)])


def numbers(c: random.Random, words: Words) -> Problem:
    return _piped(
        c, words, _number_steps(c), _number_ends(c), lambda: [c.randint(-9, 90) for _ in range(c.randint(5, 9))]
    )


def texts(c: random.Random, words: Words) -> Problem:
    return _piped(c, words, _text_steps(c), _text_ends(c), lambda: words.text(c.randint(3, 6)))


def dates(c: random.Random, words: Words) -> Problem:
    name, days, form = words.function(), c.randint(3, 300), c.choice(("%d.%m.%Y", "%Y/%j", "%b %d", "%A", "%G-W%V"))
    back = c.random() < 0.5
    says = f"Move the date `day` {days} days {'back' if back else 'on'} and return it written as `{form}`."
    step = f"day {'-' if back else '+'} timedelta(days={days})"
    code = f"from datetime import timedelta\n\n\ndef {name}(day):\n    moved = {step}\n"
    code += f"    return moved.strftime({form!r})\n"
    calls = [
        f"{name}(datetime.date({c.randint(1950, 2090)}, {c.randint(1, 12)}, {c.randint(1, 28)}))" for _ in range(6)
    ]
    return Problem(name, f"def {name}(day):", says, code, calls)


def records(c: random.Random, words: Words) -> Problem:
    name, key, other, least = (
        words.function(),
        words.noun(),
        c.choice(("weight", "price", "age", "rank")),
        c.randint(5, 60),
    )
    says = (
        f"`rows` is a list of dicts with the keys {key!r} and {other!r}. Group them: return a dict from each "
        f"{key!r} to the {c.choice(('total', 'sum'))} of {other!r} over its rows, "
        f"without rows whose {other!r} is below {least}."
    )
    code = (
        f"def {name}(rows):\n    found = {{}}\n    for row in rows:\n        if row[{other!r}] >= {least}:\n"
        f"            found[row[{key!r}]] = found.get(row[{key!r}], 0) + row[{other!r}]\n    return found\n"
    )
    rows = lambda: [{key: words.noun(), other: c.randint(0, 99)} for _ in range(5)]  # noqa: E731
    return Problem(name, f"def {name}(rows):", says, code, [f"{name}({rows()!r})" for _ in range(6)])


def checked(c: random.Random, words: Words) -> Problem:
    name, low = words.function(), c.randint(1, 30)
    high, factor = low + c.randint(20, 60), c.randint(2, 9)
    error = c.choice(("ValueError", "LookupError", "OverflowError"))
    says = (
        f"Return {factor} times `level`, plus its square where it is even. A level below {low} or above {high} raises "
        f"`{error}` with a message that names the level."
    )
    code = (
        f"def {name}(level):\n    if not {low} <= level <= {high}:\n"
        f"        raise {error}(f'level {{level}} is out of range')\n"
        f"    return level * {factor} + (level**2 if level % 2 == 0 else 0)\n"
    )
    calls = [f"{name}({c.randint(low, high)})" for _ in range(5)]
    return Problem(name, f"def {name}(level):", says, code, calls, raising=(f"{name}({high + factor})", error))


def floats(c: random.Random, words: Words) -> Problem:
    name, rate, fee = words.function(), round(c.uniform(0.01, 0.3), 3), round(c.uniform(1, 20), 2)
    says = (
        f"A {words.place()} charges `amount` with a rate of {rate} a year, compounded over `years`, and a fee of {fee} "
        "at the end. Return what is owed, rounded to four places."
    )
    code = f"def {name}(amount, years):\n    owed = amount\n    for _ in range(years):\n        owed += owed * {rate}\n"
    code += f"    return round(owed + {fee}, 4)\n"
    calls = [f"{name}({round(c.uniform(10, 900), 2)}, {c.randint(1, 9)})" for _ in range(6)]
    return Problem(name, f"def {name}(amount, years):", says, code, calls)


def sets(c: random.Random, words: Words) -> Problem:
    name, extra = words.function(), words.noun()
    how, sign = c.choice((("are in both", "&"), ("are in the first alone", "-"), ("are in one of them alone", "^")))
    says = f"Return the set of those members of `left` and `right` that {how}, together with {extra!r}."
    code = f"def {name}(left, right):\n    return (set(left) {sign} set(right)) | {{{extra!r}}}\n"
    drawn = lambda: sorted({words.noun() for _ in range(4)})  # noqa: E731
    return Problem(
        name, f"def {name}(left, right):", says, code, [f"{name}({drawn()!r}, {drawn()!r})" for _ in range(6)]
    )


def stores(c: random.Random, words: Words) -> Problem:
    kind, add, take, count = words.kind(), *[words.function() for _ in range(3)]
    limit, start = c.randint(20, 90), c.randint(0, 9)
    says = (
        f"Write a class `{kind}` that keeps the level of a {words.noun()} in a {words.place()}. It starts at `level` "
        f"({start} by default). `{add}(n)` raises the level by n but never above {limit}, `{take}(n)` lowers it by n "
        f"but never below zero; both return the new level. `{count}()` returns how many changes there were."
    )
    code = (
        f"class {kind}:\n    def __init__(self, level={start}):\n        self.level = level\n"
        f"        self._changes = 0\n\n"
        f"    def {add}(self, n):\n        self._changes += 1\n        self.level = min({limit}, self.level + n)\n"
        f"        return self.level\n\n    def {take}(self, n):\n        self._changes += 1\n"
        f"        self.level = max(0, self.level - n)\n        return self.level\n\n"
        f"    def {count}(self):\n        return self._changes\n"
    )
    calls = [f"{kind}({c.randint(10, 40)}).{c.choice((add, take))}({c.randint(1, 60)})" for _ in range(4)]
    calls += [f"{kind}().{add}({c.randint(1, 9)})", f"{kind}({c.randint(50, 99)}).{count}()"]
    return Problem(kind, f"class {kind}:", says, code, calls, about_class=True)


def values(c: random.Random, words: Words) -> Problem:
    kind, scaled, flipped = words.kind(), words.function(), words.function()
    a, b = c.randint(2, 9), c.randint(1, 9)
    says = (
        f"Write a class `{kind}(a, b)` for pairs of numbers. Pairs with equal numbers are equal, `+` adds them number "
        f"by number, `str()` gives `<a|b>`. `{scaled}(k)` returns a new pair with a times {a}k and b times k, "
        f"`{flipped}()` the pair with its numbers swapped and {b} added to the first."
    )
    code = (
        f"class {kind}:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n\n"
        f"    def __eq__(self, other):\n        return (self.a, self.b) == (other.a, other.b)\n\n"
        f"    def __add__(self, other):\n        return {kind}(self.a + other.a, self.b + other.b)\n\n"
        f"    def __str__(self):\n        return f'<{{self.a}}|{{self.b}}>'\n\n"
        f"    def {scaled}(self, k):\n        return {kind}(self.a * {a} * k, self.b * k)\n\n"
        f"    def {flipped}(self):\n        return {kind}(self.b + {b}, self.a)\n"
    )
    n = lambda: f"{kind}({c.randint(1, 50)}, {c.randint(1, 50)})"  # noqa: E731
    calls = [
        f"str({n()})",
        f"str({n()} + {n()})",
        f"{n()}.{scaled}({a}).a",
        f"{n()}.{flipped}().b",
        f"str({n()}.{flipped}())",
    ]
    return Problem(kind, f"class {kind}:", says, code, [*calls, f"str({n()}.{scaled}({b}) + {n()})"], about_class=True)


Kind = Callable[[random.Random, Words], Problem]
KINDS: tuple[Kind, ...] = (
    numbers,
    numbers,
    numbers,
    texts,
    texts,
    texts,
    dates,
    records,
    checked,
    floats,
    sets,
    stores,
    values,
)
