"""Reads raw samples from a server in pieces that it can bear, and finds where series ended.

Prometheus's API never shows stale markers. But an instant query that shows nothing while the newest sample is
younger than the lookback can only mean one: so where a series has a gap, the steps in it are asked for, and
the first without a result is taken for its end. It is right to one step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from agent.model import Labels
from agent.promql.nodes import LOOKBACK_MS
from agent.promql.vectors import Times
from agent.recording.prometheus import Found, NotUnderstood, Prometheus, TooLarge
from agent.recording.recorded import Track, track

SHORTEST_MS = 30_000  # a server that refuses this much of a selector refuses all
_NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Piece:
    """What was read of (start, end], stale markers included."""

    start: int
    end: int
    found: Found


class Reading:
    """One selector, read forwards; remembers what lives, so that an end between two pieces is seen.

    `step_ms`: how exactly the end of a series is wanted. `resampled` is True once the server would not give
    raw samples, and what a query shows every `step_ms` was taken instead.
    """

    def __init__(self, server: Prometheus, selector: str, step_ms: int, piece_ms: int) -> None:
        self.resampled = False
        self._server = server
        self._selector = selector
        self._step_ms = step_ms
        self._piece_ms = piece_ms
        self._last: dict[tuple[str, Labels], int] = {}  # of series that have not ended

    async def read(self, start: int, end: int) -> AsyncIterator[Piece]:
        """The pieces of (start, end], oldest first. Raises what Prometheus does."""
        piece = self._piece_ms
        while start < end:
            until = min(end, start + piece)
            try:
                found = await self._piece(start, until)
            except TooLarge:
                piece = min(piece, end - start) // 2
                if piece < SHORTEST_MS:
                    raise
                continue
            self._piece_ms = piece if until < end else self._piece_ms
            yield Piece(start, until, found)
            start = until

    async def _piece(self, start: int, end: int) -> Found:
        if not self.resampled:
            try:
                found = await self._server.samples(self._selector, start, end)
            except NotUnderstood:
                self.resampled = True
        if self.resampled:
            found = await self._shown(start, end)
        gaps = self._gaps(found, start, end)
        shown = found if self.resampled or not gaps else await self._shown(start, end)
        grid = self._grid(start, end)
        ends = {key: _ends(each, grid, shown.get(key)) for key, each in gaps.items()}
        self._remember(found, ends)
        nothing = Track(_NO_TIMES, np.empty(0))
        return {
            key: track(each.times, each.values, ends.get(key))
            for key, each in {**{key: nothing for key, its in ends.items() if len(its)}, **found}.items()
        }

    async def _shown(self, start: int, end: int) -> Found:
        grid = self._grid(start, end)
        return await self._server.steps(self._selector, int(grid[0]), end, self._step_ms)

    def _grid(self, start: int, end: int) -> Times:
        """Steps from the piece's start on: what was missing there is looked at only now."""
        return np.arange(start, end + 1, self._step_ms, dtype=np.int64)

    def _gaps(self, found: Found, start: int, end: int) -> dict[tuple[str, Labels], list[tuple[int, int]]]:
        """By series: from a sample to the next one (or the piece's end), where that is far."""
        gaps = {}
        for key in {**found, **self._last}:
            before = [self._last[key]] if key in self._last else []
            own = found[key].times if key in found else _NO_TIMES
            times = np.concatenate([np.array(before, np.int64), own, [end + 1]])
            patience = np.full(len(times) - 1, self._step_ms * 3 // 2)
            patience[-1] = self._step_ms  # what is shorter is seen from the next piece
            far = np.flatnonzero((np.diff(times) > patience) & (times[:-1] + LOOKBACK_MS > start))
            if len(far):
                gaps[key] = [(int(times[at]), int(times[at + 1])) for at in far.tolist()]
        return gaps

    def _remember(self, found: Found, ends: dict[tuple[str, Labels], Times]) -> None:
        for key, each in found.items():
            self._last[key] = int(each.times[-1])
        for key, its_ends in ends.items():
            if len(its_ends) and its_ends[-1] > self._last[key]:
                del self._last[key]


def _ends(gaps: list[tuple[int, int]], grid: Times, shown: Track | None) -> Times:
    """The first step within each gap at which the series is not shown, though its last sample is young."""
    missing = grid if shown is None else np.setdiff1d(grid, shown.times)
    ends = []
    for after, before in gaps:
        young = missing[(missing > after) & (missing < before) & (missing < after + LOOKBACK_MS)]
        ends += young[:1].tolist()
    return np.array(ends, np.int64)
