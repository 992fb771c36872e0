"""A series as text, `name{label="value"}`, as Prometheus's text formats have it: written and read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.model import Labels
from agent.promql.labels import NAME

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TEXT = r'"((?:[^"\\]|\\.)*+)"'
_LABEL = re.compile(rf"\s*+(?:([a-zA-Z_][a-zA-Z0-9_]*+)|{_TEXT})\s*+=\s*+{_TEXT}\s*+(,|$)")
# Only at the beginning and behind a comma: to begin at each letter of a long word takes its length squared.
_PLAIN = re.compile(r'(?<![^,])([a-zA-Z_][a-zA-Z0-9_]*+)="([^"\\]*+)"(?:,|$)')
_QUOTED_NAME = re.compile(rf"\s*+{_TEXT}\s*+(,|$)")
_BLANKS = re.compile(r"\s*+")
_ESCAPES: Mapping[str, str] = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def series_text(name: str, labels: Labels) -> str:
    """A series as it begins its lines. A name that is no plain one is quoted, as Prometheus 3 writes it."""
    inside = ",".join(f'{_quoted_unless_plain(k)}="{_escaped(v)}"' for k, v in labels)
    if _NAME.fullmatch(name):
        return f"{name}{{{inside}}}" if inside else name
    return f'{{"{_escaped(name)}",{inside}}}' if inside else f'{{"{_escaped(name)}"}}'


def parse_series(text: str) -> tuple[str, Labels]:
    """The name and labels of a series as text. Raises ValueError with what is wrong."""
    name, brace, inside = text.partition("{")
    name = name.strip()
    if not brace:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is no metric name")
        return name, ()
    if name and not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no metric name")
    if not inside.rstrip().endswith("}"):
        raise ValueError(f"the labels have no end: {text[:80]!r}")
    given = {NAME: name} if name else {}
    labels = _plain_labels(inside.rstrip()[:-1], given) or _labels(inside.rstrip()[:-1], given)
    found, rest = split_name(labels)
    if not found:
        raise ValueError(f"a series without a metric name: {text[:80]!r}")
    return found, rest


def split_name(labels: Mapping[str, str]) -> tuple[str, Labels]:
    """A label set with `__name__` to the name and the others; an empty label is none."""
    return labels.get(NAME, ""), tuple(sorted((k, v) for k, v in labels.items() if k != NAME and v))


def _plain_labels(text: str, given: dict[str, str]) -> dict[str, str] | None:
    """The labels where nothing is escaped or stands between them, which is ten times as fast; else None."""
    pairs = _PLAIN.findall(text)
    covered = sum(len(label) + len(value) + 4 for label, value in pairs)
    labels = given | dict(pairs)
    whole = covered == len(text) + (not text.endswith(","))
    return labels if whole and len(labels) == len(given) + len(pairs) else None


def _labels(text: str, labels: dict[str, str]) -> dict[str, str]:
    at = 0
    while (blanks := _BLANKS.match(text, at)) and blanks.end() < len(text):
        if found := _LABEL.match(text, at):
            label, value = found[1] or _unescaped(found[2]), _unescaped(found[3])
        elif found := _QUOTED_NAME.match(text, at):
            label, value = NAME, _unescaped(found[1])
        else:
            raise ValueError(f'no label at {text[at : at + 40]!r}: write it like path="/d1"')
        if label in labels:
            raise ValueError(f"the label {label!r} stands there twice")
        labels[label] = value
        at = found.end()
    return labels


def _quoted_unless_plain(name: str) -> str:
    return name if _NAME.fullmatch(name) and ":" not in name else f'"{_escaped(name)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\[\\\"n]", lambda found: _ESCAPES[found[0]], text) if "\\" in text else text
