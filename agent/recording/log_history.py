"""Whole log files as history: what the patterns of logs.yml would have counted, at the times of the lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.model import LogPattern
from agent.promql.vectors import Times
from agent.recording.dump import pieces
from agent.recording.limits import Allowance, BadHistory, Tell, silent
from agent.recording.recorded import Recorded, Track
from agent.sources.log_counters import Counters
from agent.sources.log_hits import Hit, Series, series_of
from agent.sources.log_patterns import Scanner
from agent.sources.log_times import TIME, time_in

_MAX_HITS = 5_000_000


@dataclass(slots=True)
class Found:
    """What whole files hold: when each series was hit (ms), from when to when, and what had no time."""

    hits: dict[Series, list[int]] = field(default_factory=dict)
    values: dict[Series, list[tuple[int, Hit]]] = field(
        default_factory=dict
    )  # of those that count or set a number
    firsts: dict[Series, Hit] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    lines: int = 0  # that some pattern found
    untimed: int = 0  # of them, before the first line with a time

    def add(self, hit: Hit, at: int) -> None:
        """A line of a pattern, at this time."""
        (lines, _, _), *more = series_of(hit)
        self.hits.setdefault(lines, []).append(at)
        self.firsts.setdefault(lines, hit)
        for series, _, _ in more:
            self.values.setdefault(series, []).append((at, hit))

    def reaches(self, at: int) -> None:
        """A line has this time."""
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)


class LogHistory:
    """Searches files, rotated ones too; `zone` is that of lines which name none, None: this machine's."""

    def __init__(self, patterns: Sequence[LogPattern], zone: tzinfo | None, allowance: Allowance) -> None:
        self.found = Found()
        self._patterns = tuple(patterns)
        self._zone = zone
        self._allowance = allowance

    def read(self, path: Path, tell: Tell = silent) -> None:
        """Search one file. Raises BadHistory: it cannot be read, no pattern is for it, it has no times."""
        wanted = [p for p in self._patterns if any(fnmatch(name, p.file) for name in _names(path.name))]
        if not wanted:
            files = ", ".join(sorted({p.file for p in self._patterns})) or "no file at all"
            raise BadHistory(f"no pattern of the rules is for {path.name}: they look at {files}")
        scanner, at = Scanner(wanted), None
        for number, lines in enumerate(pieces(path, lambda: str(path))):
            chunk = b"\n".join(lines) + b"\n"
            self._allowance.take(str(path), size=len(chunk))
            at = self._search(scanner, chunk, at)
            tell(f"searching {path}: {number * 4} MiB")
        if at is None:
            raise BadHistory(
                f"{path} has no line that begins with a time like [2026-08-01 10:00:00,123] (Kafka's own)"
            )

    def _search(self, scanner: Scanner, chunk: bytes, at: int | None) -> int | None:
        """Count the lines of a chunk; the time of its last one. `at`: of the line before it."""
        first = TIME.search(chunk)
        floor = 0
        for start, hit in scanner.placed(chunk):
            its = self._time_of(chunk, start, floor, at)
            floor, at = start, its
            self.found.lines += 1
            if its is None:
                self.found.untimed += 1
                continue
            self.found.add(hit, its)
            if self.found.lines > _MAX_HITS:
                raise BadHistory(f"the patterns find more than {_MAX_HITS:,} lines: take fewer files")
        if first is not None and (begin := time_in(first[1], self._zone)) is not None:
            self.found.reaches(begin)
        at = self._time_of(chunk, chunk.rfind(b"\n", 0, len(chunk) - 1) + 1, floor, at)
        if at is not None:
            self.found.reaches(at)
        return at

    def _time_of(self, chunk: bytes, start: int, floor: int, before: int | None) -> int | None:
        """The time of the line at `start`, or of the one before it that has any: it is its stack trace.

        No line before `floor` is looked at: `before` is the time of the line there.
        """
        begin = start
        while True:
            match = TIME.match(chunk, begin)
            at = time_in(match[1], self._zone) if match else None
            if at is not None:
                return at
            if begin <= floor:
                return before
            begin = chunk.rfind(b"\n", 0, begin - 1) + 1

    def counters(self, until: int | None, interval_ms: int) -> Recorded:
        """What the agent's log source would have given each interval, from the first line to `until`.

        `until` None: to the last line. A series begins with a 0 one interval before its first hit, so that
        increase() sees it, as it is live; the series beyond the limit are counted in the one without labels.
        """
        recorded = Recorded()
        if self.found.first is None or self.found.last is None:
            return recorded
        end = max(self.found.last, until or 0) + interval_ms
        ticks = np.arange(self.found.first // interval_ms * interval_ms, end, interval_ms, dtype=np.int64)
        kept, dropped = self._limited()
        for (name, labels), times in kept.items():
            hits = np.array(sorted(times), np.int64)
            if labels:
                recorded.put(name, labels, _counter(hits, np.ones(len(hits)), ticks, interval_ms))
            else:  # there from the start
                counts = np.searchsorted(hits, ticks, side="right").astype(np.float64)
                recorded.put(name, labels, Track(ticks, counts))
        for series, track in self._numbers(dropped, ticks, interval_ms):
            recorded.put(*series, track)
        return recorded

    def _limited(self) -> tuple[dict[Series, list[int]], frozenset[Series]]:
        """The hits of the series that the agent would keep, in the order of their coming; and the others."""
        counters = Counters(self._patterns, {})
        kept: dict[Series, list[int]] = {series: [] for series in counters.values}
        dropped = set()
        for series, times in sorted(self.found.hits.items(), key=lambda pair: min(pair[1])):
            if not counters.add(self.found.firsts[series]):
                dropped.add(series)
            kept.setdefault((series[0], ()) if series in dropped else series, []).extend(times)
        return kept, frozenset(dropped)

    def _numbers(
        self, dropped: frozenset[Series], ticks: Times, interval_ms: int
    ) -> Iterator[tuple[Series, Track]]:
        """The series of numbers: sums of dropped labels are one without labels, gauges of them are none."""
        merged: dict[Series, list[tuple[int, float]]] = {}
        gauges = set()
        for series, points in self.found.values.items():
            (lines, _, _), (_, _, sets) = series_of(points[0][1])
            if sets:
                gauges.add(series)
                if lines in dropped:
                    continue
            target = (series[0], ()) if lines in dropped else series
            merged.setdefault(target, []).extend((at, hit.value or 0.0) for at, hit in points)
        for series, numbers in merged.items():
            numbers.sort(key=lambda point: point[0])
            times = np.array([at for at, _ in numbers], np.int64)
            values = np.array([value for _, value in numbers])
            if series in gauges:
                yield series, _gauge(times, values, ticks)
            else:
                yield series, _counter(times, values, ticks, interval_ms)


def _counter(hits: Times, amounts: NDArray[np.float64], ticks: Times, interval_ms: int) -> Track:
    """The sum at each tick from the first hit on, and the 0 before it."""
    sums = np.concatenate([[0.0], np.cumsum(amounts)])
    places = np.searchsorted(hits, ticks, side="right")
    counted = places > 0
    times = np.concatenate([ticks[counted][:1] - interval_ms, ticks[counted]])
    return Track(times, np.concatenate([[0.0], sums[places[counted]]]))


def _gauge(hits: Times, values: NDArray[np.float64], ticks: Times) -> Track:
    """The last value at each tick from the first hit on."""
    places = np.searchsorted(hits, ticks, side="right")
    return Track(ticks[places > 0], values[places[places > 0] - 1])


def _names(name: str) -> Iterable[str]:
    """A file's own name, and what it was called before it was rotated or packed."""
    yield name
    yield from (name[:at] for at, letter in enumerate(name) if letter in ".-" and at)
