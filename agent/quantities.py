"""Durations, sizes, rates and ratios as people write them, and back."""

from __future__ import annotations

import re
from typing import NewType

Duration = NewType("Duration", int)  # milliseconds
Size = NewType("Size", int)  # bytes
BytesPerSecond = NewType("BytesPerSecond", int)
Ratio = NewType("Ratio", float)  # 0 to 1

# Prometheus's own syntax: units in falling order, each at most once.
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_DURATION_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
LONGEST_MS = 2**63 // 1_000_000  # what Prometheus takes: 292 years; calendars end soon after 7,000 more
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)", re.ASCII)
_SIZE_BYTES = {
    "B": 1,
    **{f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)},
    **{f"{p}B": 1000**n for n, p in enumerate("kMGT", 1)},
}


def parse_duration(text: str) -> Duration:
    """`1h30m` to milliseconds, at most LONGEST_MS. ValueError says what is wrong with the text."""
    ms = any_duration(text)
    if ms > LONGEST_MS:
        raise ValueError(f"bad duration {text[:30]!r}: at most 292y")
    return ms


def any_duration(text: str) -> Duration:
    """The same, however long."""
    match = _DURATION.fullmatch(text)
    if text == "0":
        return Duration(0)
    if not match or not text:
        raise ValueError(f"bad duration {text!r}: write it like 30s, 5m or 1h30m")
    return Duration(sum(int(n) * ms for n, ms in zip(match.groups(), _DURATION_MS, strict=True) if n))


def parse_size(text: str) -> Size:
    """`50MiB` to bytes. A bare number is refused: nobody can tell its unit."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"bad size {text!r}: write it like 50MiB or 1.5GB")
    return Size(round(float(match[1]) * _SIZE_BYTES[match[2]]))


def parse_rate(text: str) -> BytesPerSecond:
    """`50MiB/s` to bytes a second."""
    if not text.endswith("/s"):
        raise ValueError(f"bad rate {text!r}: write it like 50MiB/s")
    return BytesPerSecond(parse_size(text.removesuffix("/s")))


def parse_ratio(text: str) -> Ratio:
    """`0.75` or `75%` to a number between 0 and 1."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"bad ratio {text!r}: write it like 0.75 or 75%") from None
    if not 0 <= value <= 1:
        raise ValueError(f"bad ratio {text!r}: it must lie between 0 and 1")
    return Ratio(value)


def show_duration(ms: int) -> str:
    """Milliseconds in Prometheus's syntax, without loss."""
    parts = []
    for unit, size in zip(("d", "h", "m", "s", "ms"), _DURATION_MS[2:], strict=True):
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def show_size(count: float) -> str:
    """Bytes for people: three significant digits and a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"
