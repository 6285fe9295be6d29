"""Good problems that are one function: parsing, matrices, dates, text, graphs, fractions, randomness with a seed."""

import random
from collections.abc import Callable
from itertools import pairwise
from textwrap import dedent
from typing import NamedTuple

from ..words import Words


class Piece(NamedTuple):
    """``code`` defines what is asked for; each of ``calls`` is an expression, asked about in a test of its own."""

    name: str
    signature: str
    says: str
    code: str
    calls: list[str]
    imports: tuple[str, ...] = ()  # lines that the tests need
    more: str = ""  # further tests, in full


Family = Callable[[random.Random, Words], Piece]


def settings(c: random.Random, w: Words) -> Piece:
    name, mark, note = w.function(), c.choice("=:|~"), c.choice("#;%")
    says = (
        f"Parse `text`, a configuration with one `key {mark} value` a line, into a dict of strings. Blank lines and "
        f"lines that begin with `{note}` do not count, blanks around keys and values are dropped, and of a key that "
        f"occurs more than once the last one wins."
    )
    code = f"""
        def {name}(text):
            found = {{}}
            for line in text.splitlines():
                line = line.strip()
                if not line or line.startswith({note!r}):
                    continue
                key, _, value = line.partition({mark!r})
                found[key.strip()] = value.strip()
            return found
        """
    calls = []
    for _ in range(6):
        lines = [f"{w.noun()} {mark} {w.text(c.randint(1, 2))}" for _ in range(c.randint(2, 4))]
        lines.insert(1, f"{note} {w.text(2)}")
        calls.append(f"{name}({chr(10).join(lines)!r})")
    return Piece(name, f"def {name}(text: str) -> dict[str, str]:", says, dedent(code).lstrip(), calls)


def turned(c: random.Random, w: Words) -> Piece:
    name, add = w.function(), c.randint(1, 40)
    how, words = c.choice(
        (
            ("zip(*grid[::-1])", "turned clockwise by a quarter"),
            ("zip(*grid)", "mirrored at its main diagonal"),
            ("zip(*[row[::-1] for row in grid])", "turned against the clock by a quarter"),
        )
    )
    says = f"`grid` is a matrix, given as a list of rows. Return it {words}, with {add} added to every entry."
    code = f"def {name}(grid):\n    return [[entry + {add} for entry in row] for row in {how}]\n"
    calls = []
    for _ in range(6):
        rows, columns = c.randint(2, 4), c.randint(2, 4)
        calls.append(f"{name}({[[c.randint(-20, 20) for _ in range(columns)] for _ in range(rows)]!r})")
    return Piece(name, f"def {name}(grid):", says, code, calls)


def working_days(c: random.Random, w: Words) -> Piece:
    name, off = w.function(), c.choice((4, 5, 6))
    day = ("Friday", "Saturday", "Sunday")[off - 4]
    says = (
        f"Return the date that lies `count` working days after `start` (a `datetime.date`). Every day but {day} is a "
        "working day; the day `start` itself does not count."
    )
    code = f"""
        from datetime import timedelta


        def {name}(start, count):
            day = start
            while count:
                day += timedelta(days=1)
                if day.weekday() != {off}:
                    count -= 1
            return day
        """
    calls = [
        f"{name}(datetime.date({c.randint(1980, 2070)}, {c.randint(1, 12)}, {c.randint(1, 28)}), {c.randint(3, 40)})"
        for _ in range(6)
    ]
    return Piece(name, f"def {name}(start, count):", says, dedent(code).lstrip(), calls, ("import datetime",))


def run_lengths(c: random.Random, w: Words) -> Piece:
    name, least = w.function(), c.randint(2, 3)
    says = (
        f"Shorten `letters` by runs: a run of {least} or more equal letters becomes the letter and its count, shorter "
        "runs stay as they are."
    )
    code = f"""
        from itertools import groupby


        def {name}(letters):
            parts = []
            for letter, run in groupby(letters):
                size = len(list(run))
                parts.append(f"{{letter}}{{size}}" if size >= {least} else letter * size)
            return "".join(parts)
        """
    calls = []
    for _ in range(6):
        calls.append(f"{name}({''.join(c.choice('abcxyz') * c.randint(1, 5) for _ in range(6))!r})")
    return Piece(name, f"def {name}(letters: str) -> str:", says, dedent(code).lstrip(), calls)


def reachable(c: random.Random, w: Words) -> Piece:
    name, least = w.function(), c.randint(1, 3)
    says = (
        "`links` maps each node of a directed graph to the list of its successors. Return a dict from every node that "
        f"can be reached from `start` in {least} or more steps on a shortest path to the number of these steps."
    )
    code = f"""
        from collections import deque


        def {name}(links, start):
            steps = {{start: 0}}
            queue = deque([start])
            while queue:
                node = queue.popleft()
                for other in links.get(node, []):
                    if other not in steps:
                        steps[other] = steps[node] + 1
                        queue.append(other)
            return {{node: count for node, count in steps.items() if count >= {least}}}
        """
    calls = []
    for _ in range(6):
        nodes = c.sample("abcdefghk", 7)
        chain = {node: [following] for node, following in pairwise(nodes)}
        chain[nodes[0]] = [nodes[1], nodes[c.randint(2, 5)]]
        calls.append(f"{name}({chain!r}, {nodes[0]!r})")
    return Piece(name, f"def {name}(links, start):", says, dedent(code).lstrip(), calls)


def fractions(c: random.Random, w: Words) -> Piece:
    name, top, bottom = w.function(), c.randint(1, 6), c.randint(7, 12)
    says = (
        f"Return the sum of `parts`, a list of pairs (numerator, denominator), times {top}/{bottom}, as an exact "
        "`fractions.Fraction`."
    )
    code = f"""
        from fractions import Fraction


        def {name}(parts):
            return sum((Fraction(a, b) for a, b in parts), Fraction(0)) * Fraction({top}, {bottom})
        """
    calls = [f"{name}({[(c.randint(1, 9), c.randint(2, 9)) for _ in range(3)]!r})" for _ in range(6)]
    return Piece(name, f"def {name}(parts):", says, dedent(code).lstrip(), calls, ("from fractions import Fraction",))


def addresses(c: random.Random, w: Words) -> Piece:
    name, scheme = w.function(), c.choice(("http", "https", "ftp"))
    says = (
        "Take a web address apart. Return a triple of its host in lower case, its port as a number (None if the "
        f"address has none) and the sorted names of its query's parameters. Addresses that are not {scheme} give None. "
        "Nothing is requested or downloaded."
    )
    code = f"""
        from urllib.parse import parse_qsl, urlsplit


        def {name}(address):
            parts = urlsplit(address)
            if parts.scheme != {scheme!r}:
                return None
            return parts.hostname, parts.port, sorted(key for key, _ in parse_qsl(parts.query))
        """
    calls = []
    for n in range(6):
        port = f":{c.randint(1000, 9000)}" if n % 2 else ""
        query = "&".join(f"{w.noun()}={c.randint(1, 9)}" for _ in range(1 + n % 3))
        used = scheme if n != 4 else "gopher"
        calls.append(f"{name}({f'{used}://www.{w.noun().title()}.example{port}/{w.noun()}?{query}'!r})")
    return Piece(name, f"def {name}(address):", says, dedent(code).lstrip(), calls)


def seeded(c: random.Random, w: Words) -> Piece:
    name, sides = w.function(), c.choice((4, 6, 8, 12, 20))
    says = (
        f"Throw `count` dice with {sides} sides each and return the list of what they show. Use a generator of your "
        "own, `random.Random(seed)`, and its `randint` for each die in turn, so that equal seeds give equal throws."
    )
    code = f"""
        import random


        def {name}(count, seed):
            dice = random.Random(seed)
            return [dice.randint(1, {sides}) for _ in range(count)]
        """
    calls = [f"{name}({c.randint(3, 9)}, {c.randint(1, 999)})" for _ in range(6)]
    return Piece(name, f"def {name}(count: int, seed: int) -> list[int]:", says, dedent(code).lstrip(), calls)


def ladder(c: random.Random, w: Words) -> Piece:
    name, low, step = w.function(), c.randint(2, 9), c.randint(2, 7)
    says = (
        f"Write a generator: it begins at {low}, yields numbers that grow by {step} and then by one more each time, "
        "and ends before it would pass `limit`."
    )
    code = f"""
        def {name}(limit):
            value, step = {low}, {step}
            while value <= limit:
                yield value
                value += step
                step += 1
        """
    calls = [f"list({name}({n}))" for n in c.sample(range(low + 3, 120), 6)]
    return Piece(name, f"def {name}(limit):", says, dedent(code).lstrip(), calls)


def digest(c: random.Random, w: Words) -> Piece:
    name, kind, size = w.function(), c.choice(("md5", "sha1", "sha256")), c.randint(5, 12)
    says = f"Return the first {size} hexadecimal digits of the {kind} digest of `text`, which is encoded in UTF-8."
    code = f"""
        import hashlib


        def {name}(text):
            return hashlib.{kind}(text.encode()).hexdigest()[:{size}]
        """
    calls = [f"{name}({w.text(c.randint(1, 4))!r})" for _ in range(6)]
    return Piece(name, f"def {name}(text: str) -> str:", says, dedent(code).lstrip(), calls)


def applied(c: random.Random, w: Words) -> Piece:
    name, times = w.function(), c.randint(2, 4)
    says = (
        f"`change` is a function of one number. Apply it {times} times to each of `values`, in a chain, and return the "
        "list of results, without those that are negative."
    )
    code = f"""
        def {name}(change, values):
            results = []
            for value in values:
                for _ in range({times}):
                    value = change(value)
                if value >= 0:
                    results.append(value)
            return results
        """
    functions = [
        "lambda v: v + 3",
        "lambda v: 2 * v - 5",
        "lambda v: v * v",
        "lambda v: 7 - v",
        "abs",
        "lambda v: v // 2",
    ]
    calls = [f"{name}({f}, {[c.randint(-9, 20) for _ in range(5)]!r})" for f in functions]
    return Piece(name, f"def {name}(change, values):", says, dedent(code).lstrip(), calls)


def durations(c: random.Random, w: Words) -> Piece:
    name, hours = w.function(), c.choice((6, 7, 8))
    says = (
        f"A working day has {hours} hours. Write a duration, given as a number of minutes, in working days, hours and "
        "minutes, such as `2d 3h 15m`, leaving out what is zero; no time at all is `0m`."
    )
    code = f"""
        def {name}(minutes):
            hours, minutes = divmod(minutes, 60)
            days, hours = divmod(hours, {hours})
            parts = [f"{{n}}{{unit}}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n]
            return " ".join(parts) or "0m"
        """
    calls = [f"{name}({n})" for n in c.sample(range(30, 5000), 6)]
    return Piece(name, f"def {name}(minutes: int) -> str:", says, dedent(code).lstrip(), calls)


FUNCTIONS: tuple[Family, ...] = (
    *(settings, turned, working_days, applied, addresses, seeded),
    *(ladder, run_lengths, reachable, fractions, digest, durations),
)
