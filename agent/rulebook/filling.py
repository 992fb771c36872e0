"""`$label` in the expressions of a remedy: where it may stand, and how an alert's label takes its place."""

from __future__ import annotations

import re

from agent.model import Labels
from agent.promql.nodes import quote

# Neither `$$name`, nor `Outer$Inner`: in names of Java classes a $ is one.
LABEL = re.compile(r"(?<!\$)\$(?!(?<=[A-Za-z0-9_]\$)[A-Z])([A-Za-z_][A-Za-z0-9_]*)")
_PART = re.compile(
    r"""\#[^\n]*                                                       # a comment
      | (?:(?P<operator>=~|!~|!?=)(?:\s|\#[^\n]*\n)*)?                 # of a matcher
        (?P<text>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`)""",
    re.VERBOSE | re.DOTALL,
)
_META = re.compile(r"[\\.+*?()|\[\]{}^$-]")  # what a pattern means by them, also within a class


def filled(text: str, labels: Labels) -> str:
    """Each `$label` in the value of a matcher replaced by the alert's label, which is a text there and
    nothing else, whatever quotes are around it; in a pattern, too. Unknown ones stay."""
    if "$" not in text:
        return text
    known = dict(labels)

    def part(found: re.Match[str]) -> str:
        if not found["operator"] or not LABEL.search(found["text"]):
            return found[0]
        return found[0].removesuffix(found["text"]) + _filled(found["text"], known, found["operator"][-1])

    return _PART.sub(part, text)


def misplaced(text: str) -> re.Match[str] | None:
    """The first `$label` that stands elsewhere, where a label's value would be code."""
    return LABEL.search(_PART.sub(_blank, text))


def placed(text: str) -> list[re.Match[str]]:
    """Those that `filled` replaces."""
    values = (found.span("text") for found in _PART.finditer(text) if found["operator"])
    return [label for start, end in values for label in LABEL.finditer(text, start, end)]


def _blank(found: re.Match[str]) -> str:
    is_code = found["text"] and not found["operator"]
    return found[0] if is_code else " " * len(found[0])


def _filled(text: str, known: dict[str, str], ends: str) -> str:
    """A quoted text; `ends`: with what its matcher's operator does, which is `~` for a pattern."""
    if text[0] == "`":  # it knows no escapes
        text = quote(text[1:-1])

    def value(label: re.Match[str]) -> str:
        if label[1] not in known:
            return label[0]
        plain = known[label[1]] if ends != "~" else _META.sub(r"\\\g<0>", known[label[1]])
        return plain.replace("\\", "\\\\").replace(text[0], f"\\{text[0]}").replace("\n", "\\n")

    return LABEL.sub(value, text)
