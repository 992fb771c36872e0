"""What is wrong with a file, where, and what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from agent.model import Place

LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as libyaml counts lines
MAX_COMPLAINTS = 200  # of one severity; a file of another kind altogether would drown the reader


class Severity(StrEnum):
    """How bad it is. Only errors keep a file from being used."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Complaint(Struct, frozen=True):
    """One problem: `hint` is what to write instead, `line` the source's, `width` how much of it is meant.

    `lint` is the id of the lint that found it, empty where the file cannot be used as it is.
    """

    place: Place
    message: str
    hint: str | None = None
    line: str = ""
    width: int = 1
    severity: Severity = Severity.ERROR
    lint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.words}"

    @property
    def words(self) -> str:
        """All but the place: what is no error says so, a lint its id."""
        severity = "" if self.severity is Severity.ERROR and not self.lint else f"{self.severity}: "
        hint = f"; {self.hint}" if self.hint else ""
        return f"{severity}{self.message}{hint}{f' [{self.lint}]' if self.lint else ''}"


class BadFiles(Exception):
    """Files that cannot be used, with every complaint about them, sorted by place."""

    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = complaints


class Complaints:
    """Collects complaints over many files; beyond `MAX_COMPLAINTS` of a severity they are counted only."""

    def __init__(self) -> None:
        self._found: dict[Complaint, None] = {}  # in order, each once: an alias used twice is wrong once
        self._lines: dict[str, list[str]] = {}
        self._counts: Counter[Severity] = Counter()

    def __bool__(self) -> bool:
        """Whether there is an error."""
        return self._counts[Severity.ERROR] > 0

    def count(self, severity: Severity) -> int:
        """How many there are, those included that are counted only."""
        return self._counts[severity]

    def source(self, file: str, text: str) -> None:
        """Remember a file's lines, to show the one that is meant."""
        self._lines[file] = LINE_BREAK.split(text)

    @property
    def texts(self) -> Mapping[str, list[str]]:
        """The lines of every file that was read."""
        return self._lines

    def add(self, place: Place, message: str, hint: str | None = None, width: int = 1) -> None:
        """Take one error; the same one said twice counts once."""
        self.take(Complaint(place, message, hint, width=width))

    def take(self, complaint: Complaint) -> None:
        """Take one of any severity, and put the source's line to it."""
        place, lines = complaint.place, self._lines.get(complaint.place.file, [])
        if lines and place.line > len(lines):  # libyaml ends every file with a new line
            place = Place(place.file, len(lines), len(lines[-1]) + 1)
        line = lines[place.line - 1] if lines else ""
        c = complaint
        shown = Complaint(place, c.message, c.hint, line, c.width, c.severity, c.lint)
        if shown in self._found:
            return
        self._counts[c.severity] += 1
        if self._counts[c.severity] <= MAX_COMPLAINTS:
            self._found[shown] = None

    def sorted(self) -> tuple[Complaint, ...]:
        """All complaints in the order of the files, and how many more there were."""
        found = sorted(self._found, key=lambda c: (c.place.file, c.place.line, c.place.column, c.message))
        more = tuple(
            Complaint(
                found[-1].place, f"and {count - MAX_COMPLAINTS} more {what}, not shown", severity=severity
            )
            for severity, what in _MORE
            if (count := self._counts[severity]) > MAX_COMPLAINTS
        )
        return (*found, *more)


_MORE = ((Severity.ERROR, "problems"), (Severity.WARNING, "warnings"), (Severity.NOTE, "notes"))


def closest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'mode'?`, where something known is near enough to the word."""
    near = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else None
