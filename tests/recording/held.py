"""A server's holdings without a server: what `Prometheus` would answer, from tracks in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from agent.model import Labels
from agent.promql.nodes import LOOKBACK_MS
from agent.promql.vectors import is_stale
from agent.recording.prometheus import Found, NotUnderstood, TooLarge
from agent.recording.recorded import Recorded, Track, track

START = 1_780_000_000_000


def made(times: list[int], values: list[float], ends: list[int] | None = None) -> Track:
    """A track; times are ms."""
    return track(np.array(times, np.int64), np.array(values), np.array(ends or [], np.int64))


def holding(**series: Track) -> Recorded:
    """Series without labels, by name."""
    recorded = Recorded()
    for name, each in series.items():
        recorded.put(name, (), each)
    return recorded


def plain(recorded: Recorded) -> dict[tuple[str, Labels], list[tuple[int, str]]]:
    """What tests compare: NaN equals itself, stale markers have a name."""
    return {
        (name, labels): [
            (at, "stale" if end else repr(value))
            for at, value, end in zip(
                each.times.tolist(), each.values.tolist(), is_stale(each.values).tolist(), strict=True
            )
        ]
        for name, labels, each in recorded
    }


@dataclass
class Held:
    """Answers as Prometheus does: raw samples without stale markers, steps with the lookback."""

    recorded: Recorded
    at: int = START
    most_ms: int | None = None  # a longer range is too large
    raw: bool = True
    asked: list[str] = field(default_factory=list)

    async def now(self) -> int:
        """Its clock."""
        return self.at

    async def samples(self, selector: str, start: int, end: int) -> Found:
        """The range selector."""
        if not self.raw:
            raise NotUnderstood("no range selectors here")
        if self.most_ms is not None and end - start > self.most_ms:
            raise TooLarge("too many samples")
        self.asked.append("samples")
        found = {}
        for name, labels, each in self._matching(selector):
            chosen = (each.times > start) & (each.times <= min(end, self.at)) & ~is_stale(each.values)
            if chosen.any():
                found[name, labels] = Track(each.times[chosen], each.values[chosen])
        return found

    async def steps(self, selector: str, start: int, end: int, step: int) -> Found:
        """The range query."""
        self.asked.append("steps")
        grid = np.arange(start, end + 1, step)
        found = {}
        for name, labels, each in self._matching(selector):
            at = np.searchsorted(each.times, grid, side="right") - 1
            newest = np.maximum(at, 0)
            shown = (at >= 0) & (each.times[newest] > grid - LOOKBACK_MS) & ~is_stale(each.values[newest])
            if shown.any():
                found[name, labels] = Track(grid[shown], each.values[newest][shown])
        return found

    def _matching(self, selector: str) -> list[tuple[str, Labels, Track]]:
        name = re.match(r"\w*", selector)
        assert name is not None
        return [row for row in self.recorded if not name[0] or row[0] == name[0]]
