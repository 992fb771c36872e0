"""The series of a stretch of time, all of it in memory: a store that is filled once and then only read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agent.model import Labels
from agent.promql.labels import NAME
from agent.promql.nodes import Matcher
from agent.promql.vectors import NEVER, STALE_BITS, Floats, Newest, Rows, Samples, Times, is_stale

STALE = np.array([STALE_BITS], np.int64).view(
    np.float64
)  # by its bits: arithmetic may quiet a signalling NaN
_Chosen = tuple[Rows, tuple["Track", ...]]


@dataclass(frozen=True, slots=True)
class Track:
    """The samples of one series, stale markers among them: `times` (ms) rise strictly."""

    times: Times
    values: Floats


def track(times: Times, values: Floats, ends: Times | None = None) -> Track:
    """In order of time; of two samples at one time the first stays. `ends`: where to put stale markers."""
    if ends is not None and len(ends):
        times = np.concatenate([times, ends])
        values = np.concatenate([values, np.repeat(STALE, len(ends))])
    if len(times) > 1 and not (np.diff(times) > 0).all():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        fresh = np.concatenate([[True], np.diff(times) > 0])
        times, values = times[fresh], values[fresh]
    return Track(times, values)


class Recorded:
    """Series by metric name and labels (without the name). Implements the engine's Store."""

    def __init__(self) -> None:
        self.tracks: dict[str, dict[Labels, Track]] = {}
        self._chosen: dict[tuple[str | None, tuple[Matcher, ...]], _Chosen] = {}
        self._times: dict[tuple[str | None, tuple[Matcher, ...]], Times] = {}

    @property
    def samples(self) -> int:
        """How many there are, stale markers included."""
        return sum(len(each.times) for _, _, each in self)

    @property
    def count(self) -> int:
        """How many series there are."""
        return sum(map(len, self.tracks.values()))

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last time, ms; None where there is nothing."""
        ends = [(int(t.times[0]), int(t.times[-1])) for _, _, t in self if len(t.times)]
        return (min(a for a, _ in ends), max(b for _, b in ends)) if ends else None

    def __iter__(self) -> Iterator[tuple[str, Labels, Track]]:
        for name, tracks in self.tracks.items():
            for labels, each in tracks.items():
                yield name, labels, each

    def put(self, name: str, labels: Labels, new: Track) -> None:
        """Add a series; to one that is there, what it has not yet."""
        tracks = self.tracks.setdefault(name, {})
        old = tracks.get(labels)
        if old is not None:
            times, values = (old.times, new.times), (old.values, new.values)
            new = track(np.concatenate(times), np.concatenate(values))
        tracks[labels] = new
        self._chosen.clear()
        self._times.clear()

    def add(self, other: Recorded) -> None:
        """Add all series of another."""
        for name, labels, each in other:
            self.put(name, labels, each)

    def times_of(self, name: str | None, matchers: tuple[Matcher, ...]) -> Times:
        """When any matching series has a sample or a stale marker: sorted, each time once."""
        known = self._times.get((name, matchers))
        if known is None:
            found = [each.times for each in self._matching(name, matchers)[1]]
            known = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
            self._times[name, matchers] = known
        return known

    def select(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Samples:
        """The samples with start < t <= end of every matching series; stale markers included."""
        rows, tracks = self._matching(name, matchers)
        bounds = [np.searchsorted(each.times, [start, end], side="right").tolist() for each in tracks]
        counts = np.array([high - low for low, high in bounds], np.intp)
        shape = (len(tracks), int(counts.max(initial=0)))
        times, values = np.full(shape, NEVER), np.full(shape, np.nan)
        for row, (each, (low, high)) in enumerate(zip(tracks, bounds, strict=True)):
            times[row, : high - low] = each.times[low:high]
            values.view(np.int64)[row, : high - low] = each.values.view(np.int64)[low:high]
        return Samples(rows, times, values, counts)

    def latest(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> Newest:
        """The newest sample with start < t <= end of each matching series, unless it is a stale marker."""
        rows, tracks = self._matching(name, matchers)
        times, values = np.full(len(tracks), NEVER), np.full(len(tracks), np.nan)
        for row, each in enumerate(tracks):
            at = int(np.searchsorted(each.times, end, side="right")) - 1
            if at >= 0:
                times[row] = each.times[at]
                values.view(np.int64)[row] = each.values.view(np.int64)[at]
        found = (times != NEVER) & (times > start) & ~is_stale(values)
        return Newest(rows, times, values, found)

    def has(self, name: str | None, matchers: tuple[Matcher, ...], start: int, end: int) -> bool:
        """Whether any matching series has a sample or a stale marker with start < t <= end."""
        times = self.times_of(name, matchers)
        at = int(np.searchsorted(times, end, side="right")) - 1
        return at >= 0 and bool(times[at] > start)

    def _matching(self, name: str | None, matchers: tuple[Matcher, ...]) -> _Chosen:
        """The rows that meet all matchers, the same object while no series is added."""
        known = self._chosen.get((name, matchers))
        if known is None:
            found = [
                (_named(labels, its_name), each)
                for its_name in ([name] if name is not None else self.tracks)
                for labels, each in self.tracks.get(its_name, {}).items()
            ]
            found = [(labels, each) for labels, each in found if _meets(labels, matchers)]
            known = Rows(tuple(labels for labels, _ in found)), tuple(each for _, each in found)
            self._chosen[name, matchers] = known
        return known


def _named(labels: Labels, name: str) -> Labels:
    return tuple(sorted((*labels, (NAME, name))))


def _meets(labels: Labels, matchers: tuple[Matcher, ...]) -> bool:
    values = dict(labels)
    return all(m.matches(values.get(m.name, "")) for m in matchers)
