"""One line of an exposition that was not seen before: its series, value and time."""

from __future__ import annotations

import re

_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created", "_info", "_gcount", "_gsum")
_NAME = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*+")
_QUOTED = re.compile(rb'\{[ \t]*"((?:[^"\\]|\\.)*+)"')
_SAMPLE = re.compile(
    rb'((?:[a-zA-Z_:][a-zA-Z0-9_:]*+[ \t]*+)?\{(?:[^"}\n]|"(?:[^"\\\n]|\\.)*+")*+\}'
    rb"|[a-zA-Z_:][a-zA-Z0-9_:]*+(?=[ \t]))"
    rb"[ \t]*+([^ \t{}#]++)(?:[ \t]++([^ \t{}#]++))?[ \t]*+(?:(#) .*)?",
    re.DOTALL,
)
_OF_NUMBERS = b" \t0123456789.eE+-nNaAiIfFtTyY"
_MAX_MS = 1 << 53


def families_of(name: bytes) -> tuple[bytes, ...]:
    """The families that a sample of this name may stand in: `x_count` in those of `x_count` and `x`."""
    cut = (name.removesuffix(suffix.encode()) for suffix in _SUFFIXES)
    return (name, *(family for family in cut if family and family != name))


def name_of(line: bytes) -> bytes | None:
    """The metric's name, None where the line begins with none."""
    found = _NAME.match(line) or _QUOTED.match(line)
    return None if found is None else found[found.re.groups].replace(b'\\"', b'"')


def split(line: bytes, *, openmetrics: bool) -> tuple[bytes, bytes, int | None]:
    """The series as text, the value as text, and the sample's own time in ms. Raises ValueError."""
    found = _SAMPLE.fullmatch(line)
    if found is None or (found[4] and not openmetrics):
        raise ValueError('no sample: write it like name{label="value"} 1')
    return found[1], found[2], None if found[3] is None else _milliseconds(found[3], openmetrics)


def numbers(texts: list[bytes]) -> list[float]:
    """Values as Prometheus reads them. Raises ValueError where one is none."""
    if b"".join(texts).translate(None, _OF_NUMBERS):  # Python takes 1_000 for a number, and Go does not
        raise ValueError("no number")
    return list(map(float, texts))


def no_number(line: bytes) -> str | None:
    """What stands for the value of a line and is no number."""
    found = _SAMPLE.fullmatch(line)
    return shown(found[2]) if found and not _is_number(found[2]) else None


def shown(text: bytes, longest: int = 120) -> str:
    """For messages."""
    return repr(text[:longest].decode(errors="replace"))


def _is_number(text: bytes) -> bool:
    try:
        return bool(numbers([text]))
    except ValueError:
        return False


def _milliseconds(text: bytes, openmetrics: bool) -> int:
    """Whole milliseconds, in OpenMetrics seconds."""
    try:
        at = numbers([text])[0] * 1000 if openmetrics else float(int(text))
    except (ValueError, OverflowError):
        at = float("nan")
    if not abs(at) < _MAX_MS:
        raise ValueError(f"{shown(text)} is no time")
    return round(at)
