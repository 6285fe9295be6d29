"""The small language that katas are written in: what a phrase of a docstring means in Python."""

from typing import NamedTuple


class Phrase(NamedTuple):
    """English words and the Python expression over ``x`` that they stand for."""

    words: str
    code: str


class Vocabulary(NamedTuple):
    """What katas over one type may say, with inputs to try them on."""

    expressions: tuple[Phrase, ...]
    conditions: tuple[Phrase, ...]
    inputs: tuple[int | str | list[int], ...]


INTS = Vocabulary(
    expressions=(
        *(Phrase(f"x plus {n}", f"x + {n}") for n in (1, 3, 7)),
        *(Phrase(f"x minus {n}", f"x - {n}") for n in (2, 5)),
        *(Phrase(f"x times {n}", f"x * {n}") for n in (2, 4)),
        Phrase("x squared", "x ** 2"),
        Phrase("the negative of x", "-x"),
        Phrase("the absolute value of x", "abs(x)"),
        Phrase("half of x rounded down", "x // 2"),
        Phrase("the remainder of x divided by 3", "x % 3"),
        Phrase("the larger of x and 6", "max(x, 6)"),
        Phrase("the smaller of x and 4", "min(x, 4)"),
    ),
    conditions=(
        Phrase("x is negative", "x < 0"),
        Phrase("x is above 9", "x > 9"),
        Phrase("x is even", "x % 2 == 0"),
        Phrase("x is a multiple of 5", "x % 5 == 0"),
    ),
    inputs=tuple(range(-25, 41)),
)

STRINGS = Vocabulary(
    expressions=(
        Phrase("x in upper case", "x.upper()"),
        Phrase("x with its case swapped", "x.swapcase()"),
        Phrase("x in title case", "x.title()"),
        Phrase("x reversed", "x[::-1]"),
        Phrase("x repeated twice", "x * 2"),
        Phrase("the length of x", "len(x)"),
        Phrase("the first 2 characters of x", "x[:2]"),
        Phrase("the last 2 characters of x", "x[-2:]"),
        Phrase("x without its first character", "x[1:]"),
        Phrase("the words of x", "x.split()"),
        Phrase("the sorted characters of x", "sorted(x)"),
        Phrase("how often a occurs in x", "x.count('a')"),
        Phrase("x with a dot at the end", "x + '.'"),
        Phrase("x with every a made e", "x.replace('a', 'e')"),
    ),
    conditions=(
        Phrase("x is longer than 5", "len(x) > 5"),
        Phrase("x contains a", "'a' in x"),
        Phrase("x is lower case", "x.islower()"),
        Phrase("x contains a space", "' ' in x"),
    ),
    inputs=(
        *(
            "ab",
            "Cat",
            "tree",
            "Delta",
            "banana",
            "blue sky",
            "A map",
            "Mango",
            "zebra",
            "Quiz",
            "a b c",
            "Java",
        ),
        *(
            "orange",
            "kiwi",
            "Panama",
            "so be it",
            "Run",
            "salad bar",
            "Lemon",
            "grape",
            "data",
            "Tea pot",
            "maze",
        ),
        *("Hello", "up", "Cab ride", "fig", "Big Bang", "plum", "Sunday", "vase", "ink well", "Oak", "radar"),
    ),
)

LISTS = Vocabulary(
    expressions=(
        Phrase("x sorted", "sorted(x)"),
        Phrase("x reversed", "x[::-1]"),
        Phrase("the sum of x", "sum(x)"),
        Phrase("the length of x", "len(x)"),
        Phrase("the largest item of x", "max(x)"),
        Phrase("the smallest item of x", "min(x)"),
        Phrase("the first item of x", "x[0]"),
        Phrase("the last item of x", "x[-1]"),
        Phrase("x without its first item", "x[1:]"),
        Phrase("x with 0 at the end", "x + [0]"),
        Phrase("x with every item doubled", "[v * 2 for v in x]"),
        Phrase("x with 1 added to every item", "[v + 1 for v in x]"),
        Phrase("x repeated twice", "x * 2"),
        Phrase("the first 2 items of x", "x[:2]"),
    ),
    conditions=(
        Phrase("x has more than 3 items", "len(x) > 3"),
        Phrase("x starts with a negative item", "x[0] < 0"),
        Phrase("x contains 4", "4 in x"),
        Phrase("the sum of x is odd", "sum(x) % 2 == 1"),
    ),
    inputs=(
        *([3, 1, 2], [-4, 7], [4, 4, 9, -1], [8, -3, 5, 2, 6], [-1, -6, 3], [10, 4], [5, 12, 7, -8], [2, 9]),
        *([-7, 4, 1, 3], [6, 11, -2], [9, 4, -5, 1, 2], [-3, 8, 12], [1, 14], [7, -9, 4, 6], [-2, 5, 5, 10]),
        *([12, 3, 8], [-6, 2, 15, 4, 1], [11, -4], [4, 7, 2, -1], [-8, 13, 6], [15, 2, 9, 3], [-5, 4, 10]),
    ),
)

VOCABULARIES = {"int": INTS, "str": STRINGS, "list": LISTS}
NAMES = ("adapt", "choose", "convert", "handle", "pick", "route", "select", "shape", "switch", "turn")
