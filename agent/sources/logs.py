"""Log lines as counters: files tailed through rotation and restart, each line of a pattern counted once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple

from agent.lone_thread import LoneThread
from agent.model import LogPattern, Sample
from agent.sources import MetricInfo, log_counters, log_patterns
from agent.sources.log_counters import Counters, metrics_of
from agent.sources.log_evidence import Evidence
from agent.sources.log_feed import Feed
from agent.sources.log_hits import Series
from agent.sources.log_idle import Idle
from agent.sources.log_inputs import Inputs
from agent.sources.log_lanes import DEADLINE, Lanes, Piece
from agent.sources.log_marks import Tally
from agent.sources.log_own import OWN
from agent.sources.log_patterns import Scanners
from agent.sources.log_saved import Positions, Saved, Snapshot
from agent.sources.log_told import Told
from agent.sources.readable import readable

_BUDGET = 2.0  # seconds of a reading; what is left waits for the next
_GLANCE = 0.05  # seconds of a glance
_GAP = 0.02  # seconds between two glances at least
_REST = 10  # times as long as a glance took is rested after it, so that a busy log costs a tenth of a core
_LONGEST_REST = 0.25
_POLL = 1.0
_UNREST = 0.1
_START = 1.0  # seconds in which others start, too: patterns are compiled after it, or when a line needs them

METRICS = OWN + log_patterns.METRICS + log_counters.METRICS


def no_feeds(tally: Tally) -> Sequence[Feed]:  # noqa: ARG001 it is what others count in
    """Files alone."""
    return ()


class LogTail:
    """Tails `files` (paths or globs) and what `feeds` makes, and counts what `patterns` find.

    The first time that a file is named, it is read from its end. From then on each whole line counts once in
    what is saved, also if the process is killed: what was not saved is read again, but for what was last
    written more than `window_ms` before the start. A series that is new here gets its value before this
    reading one interval earlier (0 before its first 1), so increase() sees it; after a restart its 0, too.
    """

    name = "logs"
    partial = False

    def __init__(
        self,
        files: Sequence[str],
        patterns: Sequence[LogPattern],
        positions: Positions,
        interval_ms: int,
        *,
        feeds: Callable[[Tally], Sequence[Feed]] = no_feeds,
        window_ms: int | None = None,
    ) -> None:
        self.interval_ms = interval_ms
        self.patterns = tuple(patterns)  # may be replaced; the next reading goes by the new ones
        self._lanes = Lanes(files, feeds, window_ms)
        self._window_ms = window_ms
        self._saved = Saved(positions)
        self._counting = LoneThread("counting of log lines")
        self._state: Snapshot | None = None
        self._counted: tuple[LogPattern, ...] | None = None  # the patterns that counters and scanners are of
        self._counters = Counters((), {})
        self._before: Mapping[Series, float] = {}  # what was counted in former lives and is not shown yet
        self._idle = Idle({})
        self._scanners = Scanners(())
        self._compile_at = 0.0  # loop time
        self.evidence = Evidence()
        self._told = Told(interval_ms, window_ms)
        self._next_glance = 0.0  # loop time
        self._one = asyncio.Lock()  # a reading, a glance or the saving of either

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """Its own and one for each pattern."""
        of_patterns = tuple(metric for pattern in self.patterns for metric in metrics_of(pattern))
        return METRICS + of_patterns

    @property
    def failed(self) -> dict[str, str]:
        """Path or feed → why it could not be read last time."""
        return self._lanes.failed

    async def read(self, now: int) -> list[Sample]:
        """Read what was written since, for two seconds at most; TimeoutError where all that it reads from
        hangs. What hangs beside others that do not is among `failed`. What cannot be saved is told all the
        same: rules must be judged on it, also where the agent's own disk is full."""
        async with self._one:
            return await self._read(now)

    async def _read(self, now: int) -> list[Sample]:
        state = self._state = self._state or await self._load()
        await self._settle(state)
        await self._take(_BUDGET, lambda inputs: inputs.look(now))
        self._make_room(now)
        self._told.begin(self._counters.values, now)
        await self._lanes.measure()
        self._fill(state)
        await self._saved.try_to_save(state)
        told = list(self._told.all(self._counters.values, self._before, now))
        self._before = {}
        return [*told, *self._own(now)]

    async def stirred(self) -> None:
        """Something was written, a counter may be shown again, or it is time to look at what is polled."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next_glance - loop.time())
        if not self._lanes.more:
            descriptors = [fd for inputs in self._lanes.answering for fd in inputs.descriptors]
            await readable(descriptors, self._patience())

    async def glance(self, now: int) -> list[Sample]:
        """The counters that grew. What they grew by is saved by the next reading, or by `keep`."""
        if self._state is None:
            return []
        async with self._one:
            return await self._read_quickly(self._state, now)

    async def _read_quickly(self, state: Snapshot, now: int) -> list[Sample]:
        await self._settle(state)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._take(_GLANCE, lambda inputs: inputs.glance(now))
        ended = loop.time()
        rest = ended - began if self._lanes.more else min(_LONGEST_REST, _REST * (ended - began))
        self._next_glance = ended + max(_GAP, rest)
        news = list(self._told.news(self._counters.values, self._before, now))
        if not news and not self._lanes.more:
            await self._compile_early()
        return news

    async def keep(self) -> None:
        """Save what glances gave: after a restart no counter may be less than the window store remembers.
        May be called whenever."""
        async with self._one:
            if self._state is not None:
                await self._count()  # what a glance took that was given up
                self._fill(self._state)
                await self._saved.save(self._state)

    def close(self) -> None:
        """Close the files. What was read since the last reading is not lost: it is read again."""
        self._lanes.close()

    def _patience(self) -> float | None:
        """Seconds to wait for a descriptor; None: for ever."""
        if self._state is None:
            return None
        waits = [_POLL] if any(inputs.polled for inputs in self._lanes.answering) else []
        if self._uncompiled():
            waits.append(_START)
        if any(inputs.restless for inputs in self._lanes.answering):
            waits.append(_UNREST)
        if self._told.owed_ms is not None:
            waits.append(self._told.owed_ms / 1000)
        return min(waits, default=None)

    async def _settle(self, state: Snapshot) -> None:
        """Count what came late: while it is counted nobody may look at the counters, or replace them."""
        await self._count()
        if self._counted is not self.patterns:
            self._adopt_patterns(state)

    async def _load(self) -> Snapshot:
        state = await self._saved.load()
        self._lanes.go_on(state, state.tally)
        unknown = [0] * len(state.counts)  # to a former release
        times = zip(state.counts, state.since or unknown, state.began or unknown, strict=False)
        every = [((name, labels), count, since, began) for (name, labels, count), since, began in times]
        self._idle = Idle({series: (count, since) for series, count, since, _ in every})
        self._before = {series: count for series, count, _, _ in every}
        self._told.go_on({series: (began, since) for series, _, since, began in every})
        return state

    def _fill(self, state: Snapshot) -> None:
        """With all that must be saved together."""
        places, state.tally = self._lanes.places, self._lanes.tally
        state.watched, state.marks, state.feeds = places.watched, places.marks, places.feeds
        state.counts = [(*series, count) for series, count in self._counters.values.items()]
        state.since = [self._idle.since(series, count) for series, count in self._counters.values.items()]
        state.began = [self._told.began(series) for series in self._counters.values]

    def _adopt_patterns(self, state: Snapshot) -> None:
        values = self._counters.values or {(name, labels): count for name, labels, count in state.counts}
        self._counted, self._scanners = self.patterns, Scanners(self.patterns)
        self._counters = Counters(self.patterns, values)
        self._compile_at = asyncio.get_running_loop().time() + _START

    def _make_room(self, now: int) -> None:
        """What had no line for longer than any rule looks back takes no place from others."""
        values = self._counters.values
        self._idle.look(values, now)
        if self._window_ms is not None:
            before = now - self._window_ms
            self._counters.make_room(lambda series: self._idle.since(series, values[series]) < before)

    async def _take(self, seconds: float, begin: Callable[[Inputs], None]) -> None:
        """Take and count until nothing is left or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        await self._lanes.take(begin)
        await self._count()
        while self._lanes.more and loop.time() < until:
            await self._lanes.take_more()
            await self._count()

    async def _count(self) -> None:
        """Count what was taken."""
        lanes = self._lanes.taken()
        every = [lane.taken.pieces for lane in lanes if lane.taken is not None]
        if self._counting.busy or any(every):
            await self._counting.run(lambda: self._count_pieces(every), DEADLINE)
        for lane in lanes:
            lane.settle()

    def _uncompiled(self) -> list[str]:
        """Of which no line was searched yet."""
        names = (name for inputs in self._lanes.answering for name in inputs.names)
        return [name for name in names if not self._scanners.knows(name)]

    async def _compile_early(self) -> None:
        """It takes a tenth of a second or two, for which neither the start nor the first line should wait."""
        names = self._uncompiled()
        if names and asyncio.get_running_loop().time() >= self._compile_at:
            await self._counting.run(lambda: [self._scanners.of(name) for name in names], DEADLINE)

    def _count_pieces(self, every: Sequence[deque[Piece]]) -> None:
        """Runs in the thread; each is taken out first, so that it counts once where the time is over."""
        for pieces in every:
            while pieces:
                name, lines = pieces.popleft()
                if lines and (scanner := self._scanners.of(name)) is not None:
                    scanner.count(lines, self._counters, self.evidence, name)

    def _own(self, now: int) -> Iterator[Sample]:
        """The tailer's own series, those of OWN in their order."""
        values = (*astuple(self._lanes.tally), *self._lanes.gauges, bool(self._saved.failed))
        for metric, value in zip(OWN, values, strict=True):
            yield Sample(metric.name, (), now, float(value))
        yield from self._scanners.samples(now)
