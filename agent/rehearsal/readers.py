"""Reads the values that stand in files of unit tests only."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from agent.history import ANSWERS
from agent.model import Kind, Labels, Place
from agent.quantities import parse_duration
from agent.rehearsal.cases import ExpectedEntry
from agent.rehearsal.notation import BadNotation, parse_metric, parse_values
from agent.yaml_marks import Node, Scalar, Wrong, closest
from agent.yaml_marks.forms import kind

DOTS = "..."
_KINDS = [each.value for each in Kind]
_Value = TypeVar("_Value")


def metric(node: Node) -> Labels:
    """A series as its labels."""
    return _notation(node, parse_metric)


def values(node: Node) -> tuple[float | None, ...]:
    """The values of a series."""
    return _notation(node, parse_values)


def _notation(node: Node, parse: Callable[[str], _Value]) -> _Value:
    if not isinstance(node, Scalar):
        raise Wrong(f"expected text, but here stands {kind(node)}")
    try:
        return parse(node.text)
    except BadNotation as bad:
        raise Wrong(str(bad), place=node.place_of(bad.index)) from None


def number(node: Node) -> float:
    """A sample's value: `.inf` and `.nan` are YAML's words."""
    if (
        not isinstance(node, Scalar)
        or not isinstance(node.value, int | float)
        or isinstance(node.value, bool)
    ):
        raise Wrong(f"expected a number, but here stands {kind(node)}")
    return float(node.value)


def no_histogram(node: Node) -> None:  # noqa: ARG001  whatever stands there
    """The key of promtool for what we have not."""
    raise Wrong("native histograms are not supported")


def any_text(node: Node) -> str:
    """A single value as text, empty too."""
    if not isinstance(node, Scalar):
        raise Wrong(f"expected text, but here stands {kind(node)}")
    return node.text


def start_timestamp(node: Node) -> int:
    """Seconds since the epoch or RFC 3339, to milliseconds."""
    written = any_text(node)
    try:
        if re.fullmatch(r"\d+(\.\d+)?", written):
            return round(float(written) * 1000)
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise Wrong(f"{written!r} is no instant", "write it like 2026-01-31T10:00:00Z, or seconds") from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def order(node: Node) -> str:
    """What a person orders."""
    words = any_text(node).split(maxsplit=1)
    known = ("pause", "resume", "undo", *ANSWERS)
    reasoned = words and (words[0] in ANSWERS or (len(words) > 1) == (words[0] == "pause"))
    if not words or words[0] not in known or not reasoned:
        raise Wrong(
            f"expected an order, but here stands {kind(node)}",
            closest(words[0] if words else "", known) or "pause REASON, resume, undo, approve or deny",
        )
    return " ".join(words)


def reason_or_false(node: Node) -> str | bool:
    """Why something is so from now on; false: it is no longer."""
    if isinstance(node, Scalar) and node.value is False:
        return False
    return any_text(node)


def journal(node: Node) -> tuple[ExpectedEntry, ...]:
    """The lines of a block of text: an instant, a kind of entry, and as much more as is to be compared."""
    if not isinstance(node, Scalar) or "\n" not in node.source:
        raise Wrong("expected lines of text", "begin it with `journal: |`, then one entry a line")
    lines, index = [], 0
    for line in node.text.splitlines(keepends=True):
        if line.strip() and not line.lstrip().startswith("#"):
            lines.append(_entry(line, node.place_of(index + len(line) - len(line.lstrip()))))
        index += len(line)
    return tuple(lines)


def _entry(line: str, place: Place) -> ExpectedEntry:
    at, _, words = " ".join(line.split()).partition(" ")
    if at == DOTS and not words:
        return ExpectedEntry(None, "", place)
    try:
        instant = parse_duration(at)
    except ValueError as error:
        raise Wrong(str(error)[:200], "a line is like `1m15s started`", place) from None
    if not any(re.match(rf"{each}(?:$|[ :])", words) for each in _KINDS):
        hint = closest(words.split(":", maxsplit=1)[0], _KINDS) or f"kinds: {', '.join(sorted(_KINDS))}"
        raise Wrong(f"{words[:40]!r} begins with no kind of entry", hint, place)
    return ExpectedEntry(instant, words, place)
