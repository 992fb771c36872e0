"""Finds the place of a mistake: the parser gives none, so strings and brackets are read once more."""

from __future__ import annotations

import re
from itertools import pairwise

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<open>[(\[{]) | (?P<close>[)\]}]) | (?P<quote>["'`])
      | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
      | (?P<number>[0-9.][0-9A-Za-z_.]*)
      | (?P<other>\S)""",
    re.VERBOSE,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


def _tokens(text: str) -> list[tuple[str, str, int]]:
    return [
        (match.lastgroup or "", match.group(), match.start() + 1)
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "comment"
    ]


def unbalanced(text: str) -> tuple[str, int] | None:
    """The first quote or bracket without its partner: what is wrong, in words, and the column."""
    opened: list[tuple[str, int]] = []
    for kind, token, column in _tokens(text):
        if kind == "quote":
            return f"the string that begins with {token} does not end", column
        if kind == "open":
            opened.append((token, column))
        elif kind == "close" and (not opened or opened.pop()[0] != _PAIRS[token]):
            return f"{token} closes nothing that is open here", column
    return (f"{opened[-1][0]} is not closed", opened[-1][1]) if opened else None


def depth(text: str) -> int:
    """How deep brackets nest."""
    deepest = level = 0
    for kind, _, _ in _tokens(text):
        level += (kind == "open") - (kind == "close")
        deepest = max(deepest, level)
    return deepest


def column_of_call(text: str, name: str) -> int | None:
    """Where a function is first called."""
    for (_, token, column), (_, after, _) in pairwise(_tokens(text)):
        if token == name and after in ("(", "by", "without"):
            return column
    return None


def column_of(text: str, wanted: str) -> int | None:
    """Where a word or sign first stands outside strings and comments."""
    for _, token, column in _tokens(text):
        if token.lower() == wanted or (
            wanted == ":" and token.startswith(":")
        ):  # part of a word to the lexer
            return column
    return None
