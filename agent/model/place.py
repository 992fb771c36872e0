"""Where something was written."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where in a file something was written; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
