"""Brings together the history that rules are run over: servers, recordings, log files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from agent.backtest.grid import Grid
from agent.backtest.needs import Needs
from agent.model import LogPattern
from agent.quantities import show_duration
from agent.recording.dump import Dump
from agent.recording.limits import Allowance, BadHistory, Tell
from agent.recording.log_history import LogHistory
from agent.recording.prometheus import Prometheus
from agent.recording.reading import Reading
from agent.recording.recorded import Recorded

PIECE_MS = 3_600_000
DEFAULT_MS = 24 * 3_600_000  # of a server, whose history may be years
MAX_STEPS = 500_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Where history comes from and which part of it is wanted; ms. None: all that there is, or until now.

    `last_ms` counts back from the end. `zone`: of log lines that name none; None: this machine's.
    """

    places: tuple[str, ...]
    logs: tuple[Path, ...] = ()
    zone: tzinfo | None = None
    start: int | None = None
    end: int | None = None
    last_ms: int | None = None
    step_ms: int = 15_000


@dataclass(frozen=True, slots=True)
class Past:
    """The history, the instants at which rules are judged on it, and what people should know of it."""

    store: Recorded
    grid: Grid
    notes: tuple[str, ...]


def read(
    asked: Asked, needs: Needs, patterns: Sequence[LogPattern], allowance: Allowance, tell: Tell
) -> Past:
    """All of it in memory. Raises BadHistory."""
    store, notes = Recorded(), list[str]()
    for place in asked.places:
        if place.startswith(("http://", "https://")):
            found, resampled = asyncio.run(_served(place, asked, needs, allowance, tell))
            if resampled:
                words = (
                    f"{place} gives no raw samples: what a query shows each {show_duration(asked.step_ms)}"
                )
                notes.append(f"{words} was taken instead")
        else:
            found = Dump(Path(place), needs.keeps, allowance, tell).read()
        store.add(found)
    if asked.logs:
        notes += _add_logs(store, asked, patterns, allowance, tell)
    return Past(store, _grid(asked, store), tuple(notes))


async def _served(
    url: str, asked: Asked, needs: Needs, allowance: Allowance, tell: Tell
) -> tuple[Recorded, bool]:
    """What a server holds, with what rules need before the start; and whether it is resampled."""
    store, resampled = Recorded(), False
    async with Prometheus(url) as server:
        end = min(asked.end or await server.now(), await server.now())
        start = asked.start if asked.start is not None else end - (asked.last_ms or DEFAULT_MS)
        queries = needs.queries
        for number, query in enumerate(queries, 1):
            reading = Reading(server, query, asked.step_ms, PIECE_MS)
            async for piece in reading.read(start - needs.back_ms, end):
                count = sum(len(each.times) for each in piece.found.values())
                allowance.take(url, samples=count)
                for key, each in piece.found.items():
                    store.put(*key, each)
                tell(f"reading {number} of {len(queries)} selectors from {url}: {store.samples:,} samples")
            resampled |= reading.resampled
            allowance.take(url, series=0)
    return store, resampled


def _add_logs(
    store: Recorded, asked: Asked, patterns: Sequence[LogPattern], allowance: Allowance, tell: Tell
) -> list[str]:
    history = LogHistory(patterns, asked.zone, allowance)
    for path in asked.logs:
        history.read(path, tell)
    store.add(history.counters(store.span[1] if store.span else None, asked.step_ms))
    found = history.found
    notes = [f"log files searched: {len(asked.logs)}; {found.lines:,} lines found by the patterns"]
    if found.untimed:
        notes.append(f"{found.untimed:,} of them stand before the first line with a time: left out")
    return notes


def _grid(asked: Asked, store: Recorded) -> Grid:
    span = store.span
    if span is None:
        raise BadHistory("nothing that the rules read is in this history: look at the names of its metrics")
    end = span[1] if asked.end is None else asked.end
    served = any(place.startswith("http") for place in asked.places)
    last = asked.last_ms or (DEFAULT_MS if served else None)
    start = asked.start
    if start is None:
        start = span[0] if last is None else max(span[0], end - last)
    if start > end:
        raise BadHistory("the history ends before it begins: look at --start and --end")
    grid = Grid(start, end, asked.step_ms)
    if len(grid) > MAX_STEPS:
        raise BadHistory(f"{len(grid):,} steps are too many: take a longer --interval or a shorter time")
    return grid


def until(asked: Asked, grid: Grid) -> Asked:
    """The same for the very same stretch of time."""
    return replace(asked, start=grid.start, end=grid.end)
