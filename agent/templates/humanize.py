"""Numbers as people read them: Prometheus's humanize functions (template/template.go)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.templates.errors import TemplateError
from agent.templates.go_format import Plain, printf, show

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_NANOSECONDS = 2**63 - 1


def decimal(value: Any) -> str:
    """As humanize: `1.5k`, `20m`."""
    number = _number(value)
    if number == 0 or not math.isfinite(number):
        return _four(number)
    return _scaled(number, _LARGE, 1000) if abs(number) >= 1 else _shrunk(number)


def binary(value: Any) -> str:
    """As humanize1024: `1.5ki`."""
    number = _number(value)
    return _four(number) if abs(number) <= 1 or not math.isfinite(number) else _scaled(number, _BINARY, 1024)


def duration(value: Any) -> str:
    """As humanizeDuration, of seconds: `1h 30m 0s`, `20ms`."""
    number = _number(value)
    if not math.isfinite(number):
        return _four(number)
    if number == 0 or abs(number) * 1e9 > _MOST_NANOSECONDS:  # no duration has so many days
        return f"{_four(number)}s"
    if abs(number) < 1:
        return f"{_shrunk(number)}s"
    sign, rest = "-" if number < 0 else "", int(abs(number))
    parts = ((rest // 86_400, "d"), (rest // 3_600 % 24, "h"), (rest // 60 % 60, "m"), (rest % 60, "s"))
    first = next((n for n, (count, _) in enumerate(parts) if count), 3)
    if first == 3:
        return f"{sign}{_four(abs(number))}s"
    return sign + " ".join(f"{count}{unit}" for count, unit in parts[first:])


def percentage(value: Any) -> str:
    """As humanizePercentage, of a ratio: `85.5%`."""
    return f"{_four(_number(value) * 100)}%"


def timestamp(value: Any) -> str:
    """As humanizeTimestamp, of seconds since the epoch."""
    number = _number(value)
    if not math.isfinite(number):
        return _four(number)
    if abs(number * 1e9) > _MOST_NANOSECONDS:
        raise TemplateError(f"{show(number)} is no instant that can be shown")
    at = _EPOCH + timedelta(milliseconds=int(int(number * 1e9) / 1e6))
    fraction = f".{at.microsecond:06d}".rstrip("0") if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def _scaled(number: float, prefixes: Sequence[str], factor: int) -> str:
    prefix = ""
    for each in prefixes:
        if abs(number) < factor:
            break
        prefix = each
        number /= factor
    return f"{_four(number)}{prefix}"


def _shrunk(number: float) -> str:
    prefix = ""
    for each in _SMALL:
        if abs(number) >= 1:
            break
        prefix = each
        number *= 1000
    return f"{_four(number)}{prefix}"


def _four(number: Plain) -> str:
    return printf("%.4g", (number,))


def _number(value: Any) -> float:
    """As convertToFloat: a text may be a number too."""
    if isinstance(value, bool | dict):
        raise TemplateError(f"{show(value)} is no number")
    try:
        return float(value)
    except ValueError:
        raise TemplateError(f"{value!r} is no number") from None
