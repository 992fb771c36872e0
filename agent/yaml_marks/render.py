"""Complaints for people, programs and GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable

from agent.yaml_marks.complaints import Complaint

_SHOWN = 110  # of a source line; longer ones are shown around the column


def as_text(complaints: Iterable[Complaint]) -> str:
    """`file:line:column: message; hint`, then the source line with what is meant underlined."""
    return "\n".join(_with_line(c) if c.line.strip() else str(c) for c in complaints)


def as_json(complaints: Iterable[Complaint]) -> str:
    """A list of objects: file, line, column, message, hint (null where there is none)."""
    return json.dumps(
        [
            {
                "file": c.place.file,
                "line": c.place.line,
                "column": c.place.column,
                "message": c.message,
                "hint": c.hint,
            }
            for c in complaints
        ],
        indent=2,
        ensure_ascii=False,
    )


def as_github(complaints: Iterable[Complaint]) -> str:
    """Workflow commands: GitHub shows each beside its line in a pull request."""
    return "\n".join(
        f"::error file={_property(c.place.file)},line={c.place.line},col={c.place.column}"
        f"::{_escaped(c.message + (f'; {c.hint}' if c.hint else ''))}"
        for c in complaints
    )


def _with_line(complaint: Complaint) -> str:
    start = max(0, complaint.place.column - 1 - _SHOWN // 2)
    clean = "".join(letter if letter.isprintable() or letter == "\t" else "·" for letter in complaint.line)
    shown = clean[start : start + _SHOWN]
    before = shown[: complaint.place.column - 1 - start]
    indent = "".join("\t" if letter == "\t" else " " for letter in before)  # tabs stay as wide as they are
    width = max(1, min(complaint.width, len(shown) - len(before)))
    return f"{complaint}\n    {shown.rstrip()}\n    {indent}{'^' * width}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
