"""A pattern that RE2 has compiled, taken apart as far as lints need it: what repeats, and within what."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_ATOM = re.compile(
    r"""\\Q(?:.*?\\E|.*) | \\[pPx]\{[^}]*\} | \\x[0-9a-fA-F]{2} | \\.      # escapes
      | \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]                            # classes
      | \(\?[a-zA-Z-]*\)                                                   # flags from here on
      | [^()|]""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = re.compile(r"\((?:\?P?<(?P<name>\w+)>|\?[a-zA-Z-]*:)?")
_REPEAT = re.compile(r"(?:(?P<sign>[*+?])|\{(?P<least>\d+)(?P<more>,(?P<most>\d*))?\})(?P<lazy>\??)")
_SIGNS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class Atom(Struct, frozen=True):
    """What a quantifier applies to: `text` from `start`, so many times (`most` None: without end).

    `branches` are a group's alternatives, each a row of atoms; `name` is a named group's.
    """

    text: str
    start: int
    least: int = 1
    most: int | None = 1
    lazy: bool = False
    branches: tuple[tuple[Atom, ...], ...] = ()
    name: str = ""

    @property
    def endless(self) -> bool:
        """Whether it repeats without end."""
        return self.most is None


def parts(pattern: str) -> tuple[tuple[Atom, ...], ...]:
    """The pattern's alternatives."""
    return _branches(pattern, 0)[0]


def within(branches: tuple[tuple[Atom, ...], ...]) -> Iterator[tuple[Atom, str]]:
    """Every atom, outermost first, with the innermost named group that it stands in."""
    for atom in (atom for branch in branches for atom in branch):
        yield atom, atom.name
        yield from ((inner, name or atom.name) for inner, name in within(atom.branches))


def _branches(pattern: str, at: int) -> tuple[tuple[tuple[Atom, ...], ...], int]:
    """The alternatives from `at` to the end or to the group's bracket, and where they end."""
    branches: list[tuple[Atom, ...]] = []
    row: list[Atom] = []
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            branches.append(tuple(row))
            row, at = [], at + 1
        else:
            atom, at = _atom(pattern, at)
            row.append(atom)
    return (*branches, tuple(row)), at


def _atom(pattern: str, start: int) -> tuple[Atom, int]:
    inner: tuple[tuple[Atom, ...], ...] = ()
    name = ""
    single = _ATOM.match(pattern, start)
    if single:
        at = single.end()
    else:
        opened = _OPEN.match(pattern, start)
        assert opened is not None, "RE2 has compiled it"
        inner, at = _branches(pattern, opened.end())
        name, at = opened["name"] or "", at + 1
    text = pattern[start:at]
    repeat = _REPEAT.match(pattern, at)
    if repeat is None:
        return Atom(text, start, branches=inner, name=name), at
    return Atom(text, start, *_times(repeat), bool(repeat["lazy"]), inner, name), repeat.end()


def _times(repeat: re.Match[str]) -> tuple[int, int | None]:
    if repeat["sign"]:
        return _SIGNS[repeat["sign"]]
    least = int(repeat["least"])
    return least, (int(repeat["most"]) if repeat["most"] else None) if repeat["more"] else least
