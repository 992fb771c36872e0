"""The notation of series in unit tests, promtool's: `up{job="kafka"}` and `0 1+1x3 _x2 stale`."""

from __future__ import annotations

import re

from agent.model import Labels, labels_of
from agent.promql.labels import NAME
from agent.promql.vectors import STALE

MAX_VALUES = 1_000_000  # of one series
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`")
_SPACE = re.compile(r"\s*")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))", re.DOTALL
)
_LETTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_NUMBER = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|nan)\b)"
_ITEM = re.compile(
    rf"(?:_|(?P<stale>stale\b)|(?P<first>[+-]?{_NUMBER})(?P<more>[+-]{_NUMBER}(?=x))?)(?:x(?P<times>\d+))?(?=\s|$)"
)


class BadNotation(ValueError):
    """What is wrong; `index` is where in the text."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


def parse_metric(text: str) -> Labels:
    """The labels of a series, its name among them; empty values are no labels. Raises BadNotation."""
    start = len(text) - len(text.lstrip())
    name = _NAME.match(text, start)
    labels, end = _label_set(text, name.end() if name else start)
    if text[end:].strip():
        raise BadNotation(f"unexpected {text[end:].strip()[:20]!r} after the series", end)
    if name and NAME in labels:
        raise BadNotation("the metric's name is given twice", start)
    return labels_of({k: v for k, v in (labels | ({NAME: name[0]} if name else {})).items() if v})


def parse_values(text: str) -> tuple[float | None, ...]:
    """One value an interval; None where there is none, STALE where the series ends. Raises BadNotation.

    `1x3` makes four values and `1+2x3` 1 3 5 7, while `_x3` makes three gaps: as in Prometheus.
    """
    values: list[float | None] = []
    at = len(text) - len(text.lstrip())
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None:
            raise BadNotation(_not_an_item(text[at:].split(maxsplit=1)[0]), at)
        if len(item["times"] or "") > 9 or len(values) + int(item["times"] or 0) >= MAX_VALUES:
            raise BadNotation(f"more than {MAX_VALUES} values", at)
        values += _expanded(item)
        at = _skip(text, item.end())
    return tuple(values)


def _expanded(item: re.Match[str]) -> list[float | None]:
    times = int(item["times"] or 0)
    if item["stale"]:
        return [STALE] * (times + 1)
    if item["first"] is None:
        return [None] * (times if item["times"] else 1)
    value, step = _float(item["first"]), _float(item["more"] or "0")
    values: list[float | None] = []
    for _ in range(times + 1):  # added up and not multiplied: the last digits are Prometheus's too
        values.append(value)
        value += step
    return values


def _float(text: str) -> float:
    """A number as Prometheus reads it, which takes `010` for eight."""
    digits = text.lstrip("+-")
    if re.fullmatch("0[0-7]+", digits):
        return float(int(digits, 8)) * (-1 if text.startswith("-") else 1)
    return float(text)


def _not_an_item(word: str) -> str:
    if word.startswith("{{"):
        return "native histograms are not supported"
    return f"{word[:40]!r} is no value: write 1, 1x3, 1+2x3, _, _x3 or stale"


def _label_set(text: str, at: int) -> tuple[dict[str, str], int]:
    """The labels between braces, and where they end; no braces, no labels."""
    at = _skip(text, at)
    if not text.startswith("{", at):
        return {}, at
    labels: dict[str, str] = {}
    at = _skip(text, at + 1)
    while not text.startswith("}", at):
        name, value, end = _label(text, at)
        if name in labels:
            raise BadNotation(f"the label {name!r} is given twice", at)
        labels[name] = value
        at = _skip(text, end)
        if text.startswith(",", at):
            at = _skip(text, at + 1)
        elif not text.startswith("}", at):
            raise BadNotation("a comma or } is missing here", at)
    return labels, at + 1


def _label(text: str, at: int) -> tuple[str, str, int]:
    quoted = _STRING.match(text, at)
    name = quoted or _NAME.match(text, at)
    if name is None or at >= len(text):
        raise BadNotation('expected a label like path="/data1"', at)
    end = _skip(text, name.end())
    if quoted and not text.startswith("=", end):  # {"a metric's name"}
        return NAME, _unquoted(quoted), end
    value = _STRING.match(text, _skip(text, end + 1)) if text.startswith("=", end) else None
    if value is None:
        raise BadNotation(f'expected {name[0]}="a value in quotes"', at)
    return (_unquoted(quoted) if quoted else name[0]), _unquoted(value), value.end()


def _unquoted(string: re.Match[str]) -> str:
    if string[0].startswith("`"):
        return string[0][1:-1]

    def replaced(escape: re.Match[str]) -> str:
        letter, *codes, octal, unknown = escape.groups()
        if letter:
            return _LETTERS.get(letter, letter)
        if unknown is not None:
            raise BadNotation(f"unknown escape \\{unknown}", string.start() + escape.start())
        return chr(int(octal, 8) if octal else int(next(filter(None, codes)), 16))

    return _ESCAPE.sub(replaced, string[0][1:-1])


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
