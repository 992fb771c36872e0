"""The tree of a YAML file: values, and where each was written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from agent.model import Place
from agent.yaml_marks.complaints import LINE_BREAK

_SINGLE = re.compile(r"''|.", re.DOTALL)
_DOUBLE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)|.", re.DOTALL)
_PLAIN = re.compile(r".", re.DOTALL)
_WHITE = frozenset("\\" + sign for sign in "tnvfNLP_ \t\r\n\x85\u2028\u2029") | {
    "\\\r\n"
}  # what such escapes mean


class Scalar(Struct, frozen=True):
    """A single value: as YAML 1.2's core schema reads it, as text, and as it stands in the file."""

    place: Place
    value: str | int | float | bool | None
    text: str
    source: str

    def place_of(self, index: int) -> Place:
        """Where the text's character `index` stands in the file, through quotes, escapes, indentation and
        folding; for a space between words the place of the next word, at the end that behind the last."""
        # Line breaks and indentation differ between text and source; letters are the same, in the same order.
        wanted = sum(not letter.isspace() for letter in self.text[:index])
        after = 0
        for at, written in self._letters():
            if wanted == 0:
                return advance(self.place, self.source[:at])
            wanted, after = wanted - 1, at + len(written)
        return advance(self.place, self.source[:after])

    @property
    def last_line(self) -> int:
        """The line on which it ends."""
        return advance(self.place, self.source.rstrip()).line

    def holds(self, place: Place) -> bool:
        """Whether something at `place` stands within it, in the same file."""
        start = (self.place.line, self.place.column)
        end = advance(self.place, self.source)
        return start <= (place.line, place.column) < (end.line, end.column)

    def _letters(self) -> Iterator[tuple[int, str]]:
        """Each letter of the source that is one of the text, white space left out, and its offset."""
        style = self.source[:1]
        start, end, pattern = 0, len(self.source), _PLAIN
        if style in ("|", ">"):
            header = LINE_BREAK.search(self.source)
            start = header.end() if header else end
        elif style in ("'", '"'):
            start, end, pattern = 1, end - 1, _SINGLE if style == "'" else _DOUBLE
        for match in pattern.finditer(self.source, start, end):
            if not _is_white(match[0]):
                yield match.start(), match[0]


def _is_white(written: str) -> bool:
    if len(written) > 2 and written[0] == "\\" and written[1] in "xuU":
        return chr(int(written.partition(written[1])[2], 16)).isspace()
    return written in _WHITE or written.isspace()


class Items(Struct, frozen=True):
    """A sequence."""

    place: Place
    items: tuple[Node, ...]


class Fields(Struct, frozen=True):
    """A mapping; `keys` says where each stands. Of equal keys the first is kept, the others reported."""

    place: Place
    fields: Mapping[str, Node]
    keys: Mapping[str, Place]


Node = Scalar | Items | Fields


def advance(place: Place, passed: str) -> Place:
    """The place after some text that begins at `place`."""
    lines = LINE_BREAK.split(passed)
    column = len(lines[-1]) + (place.column if len(lines) == 1 else 1)
    return Place(place.file, place.line + len(lines) - 1, column)
