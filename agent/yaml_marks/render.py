"""Complaints for people, programs and GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable

from agent.model import Place
from agent.yaml_marks.complaints import Complaint, Severity

_SHOWN = 110  # of a source line; longer ones are shown around the column
_COLOURS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.NOTE: "\x1b[36m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_text(complaints: Iterable[Complaint], *, colours: bool = False) -> str:
    """`file:line:column: message; hint`, then the source line with what is meant underlined."""
    return "\n".join(_with_line(c, colours) for c in complaints)


def as_json(complaints: Iterable[Complaint]) -> str:
    """A list of objects: file, line, column, width, severity, message; lint and hint, perhaps null."""
    return json.dumps(
        [
            {
                "file": c.place.file,
                "line": c.place.line,
                "column": c.place.column,
                "width": c.width,
                "severity": c.severity.value,
                "lint": c.lint or None,
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
        f"::{_COMMANDS[c.severity]} file={_property(c.place.file)},line={c.place.line},col={c.place.column}"
        f"{f',title={_property(c.lint)}' if c.lint else ''}"
        f"::{_escaped(c.message + (f'; {c.hint}' if c.hint else ''))}"
        for c in complaints
    )


def _with_line(complaint: Complaint, colours: bool) -> str:
    colour = _COLOURS[complaint.severity] if colours else ""
    bold, plain = (_BOLD, _PLAIN) if colours else ("", "")
    place = Place(_clean(complaint.place.file), complaint.place.line, complaint.place.column)
    said = f"{bold}{place}:{plain} {colour}{_clean(complaint.words)}{plain}"
    if not complaint.line.strip():
        return said
    start = max(0, complaint.place.column - 1 - _SHOWN // 2)
    shown = _clean(complaint.line, keep="\t")[start : start + _SHOWN]
    before = shown[: complaint.place.column - 1 - start]
    indent = "".join("\t" if letter == "\t" else " " for letter in before)  # tabs stay as wide as they are
    width = max(1, min(complaint.width, len(shown.rstrip()) - len(before)))
    return f"{said}\n    {shown.rstrip()}\n    {indent}{colour}{'^' * width}{plain}"


def _clean(text: str, keep: str = "") -> str:
    """Without control characters: a rule file must not be able to clear a screen."""
    return "".join(letter if letter.isprintable() or letter in keep else "·" for letter in text)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
