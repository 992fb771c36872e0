"""The functions of templates: those of Go that rules use, and those that Prometheus adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from agent.templates import humanize
from agent.templates.errors import TemplateError
from agent.templates.go_format import printf, show


class Function(Struct, frozen=True):
    """`least` and `most`: how many arguments it takes."""

    apply: Callable[..., Any]
    least: int
    most: int = 20


def truth(value: object) -> bool:
    """As Go's `if` sees it: false, 0 and what is empty are not true; NaN is."""
    return bool(value)


def _and(*values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1])


def _equal(first: Any, *others: Any) -> bool:
    return any(_comparable(first, other) and first == other for other in others)


def _comparable(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        raise TemplateError("incompatible types for comparison")
    if isinstance(left, dict):
        raise TemplateError("a set of labels cannot be compared")
    return True


def _less(left: Any, right: Any) -> bool:
    _comparable(left, right)
    if isinstance(left, bool):
        raise TemplateError("truth values have no order")
    return bool(left < right)


def _print(*values: Any) -> str:
    """A space stands between two values of which neither is a text."""
    out = ""
    for n, value in enumerate(values):
        spaced = n > 0 and not isinstance(value, str) and not isinstance(values[n - 1], str)
        out += f" {show(value)}" if spaced else show(value)
    return out


def _printf(form: Any, *values: Any) -> str:
    if any(isinstance(value, dict) for value in values):
        raise TemplateError("printf of a set of labels is not supported")
    return printf(_text(form), values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"expected a text, and {show(value)} is none")
    return value


def _index(where: Any, *keys: Any) -> Any:
    for key in keys:
        if not isinstance(where, Mapping):
            raise TemplateError(f"{show(where)} cannot be indexed")
        where = where.get(_text(key), "")
    return where


def _length(value: Any) -> int:
    if not isinstance(value, str | Mapping):
        raise TemplateError(f"{show(value)} has no length")
    return len(value.encode() if isinstance(value, str) else value)


def _title(text: str) -> str:
    """As strings.Title: a word begins after anything but letters, digits and `_`."""
    out = ""
    for n, letter in enumerate(text):
        begins = n == 0 or not (text[n - 1].isalnum() or text[n - 1] == "_")
        out += letter.title() if begins else letter
    return out


FUNCTIONS: Mapping[str, Function] = {
    "and": Function(_and, 1),
    "or": Function(_or, 1),
    "not": Function(lambda value: not truth(value), 1, 1),
    "eq": Function(_equal, 2),
    "ne": Function(lambda left, right: not _equal(left, right), 2, 2),
    "lt": Function(_less, 2, 2),
    "le": Function(lambda left, right: _less(left, right) or _equal(left, right), 2, 2),
    "gt": Function(lambda left, right: not (_less(left, right) or _equal(left, right)), 2, 2),
    "ge": Function(lambda left, right: not _less(left, right), 2, 2),
    "print": Function(_print, 0),
    "printf": Function(_printf, 1),
    "index": Function(_index, 1),
    "len": Function(_length, 1, 1),
    "toUpper": Function(lambda value: _text(value).upper(), 1, 1),
    "toLower": Function(lambda value: _text(value).lower(), 1, 1),
    "title": Function(lambda value: _title(_text(value)), 1, 1),
    "humanize": Function(humanize.decimal, 1, 1),
    "humanize1024": Function(humanize.binary, 1, 1),
    "humanizeDuration": Function(humanize.duration, 1, 1),
    "humanizePercentage": Function(humanize.percentage, 1, 1),
    "humanizeTimestamp": Function(humanize.timestamp, 1, 1),
}
