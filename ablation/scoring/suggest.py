"""Suggestions for mistyped names, so that an error says what to type next."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """``"; did you mean 'shaped'?"``, or an empty string when nothing known is close."""
    close = get_close_matches(found, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
