"""The times that lines of a log begin with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from itertools import chain

from agent.sources.log_marks import LINE_LIMIT
from agent.sources.log_open import Plain

# Kafka's default layout is [2026-08-01 10:00:00,123]; the JVM's GC log writes [2026-08-01T10:00:00.123+0000].
TIME = re.compile(
    rb"^\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?: ?(?:Z|[+-]\d\d:?\d\d))?)", re.MULTILINE
)
_PIECE = 1 << 16  # bytes, in which there is a line with a time, or else it is not looked for further
_ZONES_MS = 14 * 3_600_000  # so much a broker's time zone may be ahead of this machine's


def time_in(text: bytes, zone: tzinfo | None = None) -> int | None:
    """What TIME has found, in ms; None for no time, as the 31st of February, or a year that has none in other
    zones. `zone` is that of times which name none; None: this machine's."""
    try:
        when = datetime.fromisoformat(text.decode())
        if when.tzinfo is None and zone is not None:
            when = when.replace(tzinfo=zone)
        return round(when.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def since(file: Plain, offset: int, oldest_ms: int) -> int:
    """Where the lines begin that are no older, from the line at `offset` on; there where their times do not
    tell. Ages are those beside the file's last line, since the broker may be in another time zone."""
    first, last = next(_times(file, offset, whole=True), None), _last(file)
    if first is None or last is None:
        return offset
    ahead_ms = last - file.stat.st_mtime_ns // 1_000_000
    oldest_ms += ahead_ms
    if first[1] >= oldest_ms or ahead_ms > _ZONES_MS:
        return offset
    low, high = offset, file.behind(0)
    while high - low > _PIECE:
        middle = (low + high) // 2
        at, ms = next(_times(file, middle), (high, oldest_ms))
        if at < high and ms < oldest_ms:
            low = at
        else:
            high = middle
    found = chain(_times(file, low, whole=True), _times(file, high))
    return next((at for at, ms in found if ms >= oldest_ms), low)


def _times(file: Plain, at: int, size: int = _PIECE, *, whole: bool = False) -> Iterator[tuple[int, int]]:
    """(offset, ms) of the lines that begin with a time in so many bytes; `whole`: one begins at `at`."""
    data = os.pread(file.fd, size, at)
    begin = 0 if whole else data.find(b"\n") + 1 or len(data)
    for match in TIME.finditer(data, begin):
        ms = time_in(match[1])
        if ms is not None and match.end() < len(data):  # else it may go on
            yield at + match.start(), ms


def _last(file: Plain) -> int | None:
    """The time of the last line that has one."""
    end = file.behind(0)
    for size in (_PIECE, LINE_LIMIT):
        begin = max(0, end - size)
        if every := list(_times(file, begin, size, whole=not begin)):
            return every[-1][1]
    return None
