"""What is wrong with a file, where, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from agent.model import Place

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as libyaml counts lines
MAX_COMPLAINTS = 200  # a file of another kind altogether would drown the reader


@dataclass(frozen=True, slots=True)
class Complaint:
    """One problem: `hint` is what to write instead, `line` the source's, `width` how much of it is meant."""

    place: Place
    message: str
    hint: str | None = None
    line: str = ""
    width: int = 1

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place}: {self.message}{hint}"


class BadFiles(Exception):
    """Files that cannot be used, with every complaint about them, sorted by place."""

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = complaints


class Complaints:
    """Collects complaints over many files; beyond `MAX_COMPLAINTS` they are counted only."""

    def __init__(self) -> None:
        self._found: list[Complaint] = []
        self._lines: dict[str, list[str]] = {}
        self._dropped = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    def source(self, file: str, text: str) -> None:
        """Remember a file's lines, to show the one that is meant."""
        self._lines[file] = LINE_BREAK.split(text)

    def add(self, place: Place, message: str, hint: str | None = None, width: int = 1) -> None:
        """Take one complaint; the same one said twice (an alias used twice) counts once."""
        lines = self._lines.get(place.file, [])
        if lines and place.line > len(lines):  # libyaml ends every file with a new line
            place = Place(place.file, len(lines), len(lines[-1]) + 1)
        line = lines[place.line - 1] if lines else ""
        complaint = Complaint(place, message, hint, line, width)
        if complaint in self._found:
            return
        if len(self._found) < MAX_COMPLAINTS:
            self._found.append(complaint)
        else:
            self._dropped += 1

    def sorted(self) -> tuple[Complaint, ...]:
        """All complaints in the order of the files, and how many more there were."""
        found = sorted(self._found, key=lambda c: (c.place.file, c.place.line, c.place.column, c.message))
        if self._dropped:
            last = Complaint(found[-1].place, f"and {self._dropped} more problems, not shown")
            return (*found, last)
        return tuple(found)


def closest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'mode'?`, where something known is near enough to the word."""
    near = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else None
