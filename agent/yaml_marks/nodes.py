"""The tree of a YAML file: values, and where each was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.model import Place
from agent.yaml_marks.complaints import LINE_BREAK


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: as YAML 1.2's core schema reads it, as text, and as it stands in the file."""

    place: Place
    value: str | int | float | bool | None
    text: str
    source: str

    def place_of(self, index: int) -> Place:
        """Where the text's character `index` stands in the file, through quotes, indentation and folding."""
        skip = self.source.find("\n") + 1 if self.source[:1] in ("|", ">") else self.source[:1] in ("'", '"')
        source = self.source[skip:]
        if "''" in source or "\\" in source:  # escapes: what is read is not what is written
            return self.place
        wanted = len("".join(self.text[:index].split()))  # line breaks and indentation differ, letters do not
        for at, letter in enumerate(source):
            wanted -= not letter.isspace()
            if wanted < 0:
                return advance(self.place, self.source[: skip + at])
        return self.place


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fields:
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
