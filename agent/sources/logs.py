"""Log lines as counters: files tailed through rotation and restart, each line of a pattern counted once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from fnmatch import fnmatch
from functools import partial
from glob import glob, has_magic
from itertools import islice
from typing import Protocol

import msgspec

from agent.model import LogPattern, Sample
from agent.sources import MetricInfo, log_counters, log_patterns
from agent.sources.log_counters import Counters, Series, metrics_of
from agent.sources.log_evidence import Evidence
from agent.sources.log_marks import Mark, Tally
from agent.sources.log_patterns import Scanners
from agent.sources.log_trail import Trail
from agent.sources.lone_thread import LoneThread

_log = logging.getLogger(__name__)

_BUDGET = 2.0  # seconds of a reading; what is left waits for the next
_DEADLINE = 5.0  # seconds for one piece of work, a MiB of each file: beyond it a disk hangs
_FILES = 200

_OWN = (
    MetricInfo("ottla_log_read_bytes_total", "counter", "bytes", "Read from log files"),
    MetricInfo(
        "ottla_log_cut_lines_total", "counter", "", "Lines over 1 MiB: only their beginning was searched"
    ),
    MetricInfo(
        "ottla_log_unfinished_lines_total", "counter", "", "Last lines of rotated files that had no end"
    ),
    MetricInfo("ottla_log_truncations_total", "counter", "", "Files that shrank, and were read anew"),
    MetricInfo("ottla_log_behind_bytes", "gauge", "bytes", "Not yet read"),
    MetricInfo("ottla_log_files", "gauge", "", "Log files being watched"),
    MetricInfo("ottla_log_unreadable_files", "gauge", "", "Log files that could not be read"),
)
METRICS = _OWN + log_patterns.METRICS + log_counters.METRICS


class Positions(Protocol):
    """One durable value, which is never half of one and half of another."""

    async def load(self) -> bytes | None:
        """What was saved last; None where nothing ever was."""

    async def save(self, value: bytes) -> None:
        """Replace it; durable when this returns."""


class _Snapshot(msgspec.Struct):
    """All that must survive, in one piece: with the places what was counted up to there."""

    watched: list[str] = []
    marks: dict[str, list[Mark]] = {}
    counts: list[tuple[str, tuple[tuple[str, str], ...], float]] = []
    tally: Tally = msgspec.field(default_factory=Tally)


class LogTail:
    """Tails `files` (paths or globs) and counts what `patterns` find.

    The first time that a file is named, it is read from its end. From then on each whole line counts once in
    what is saved, also if the process is killed: what was not saved is read again. A series that is new here
    gets its value before this reading one interval earlier (0 before its first 1), so increase() sees it.
    """

    name = "logs"
    partial = False

    def __init__(
        self, files: Sequence[str], patterns: Sequence[LogPattern], positions: Positions, interval_ms: int
    ) -> None:
        self.interval_ms = interval_ms
        self.failed: dict[str, str] = {}  # path → why it could not be read last time
        self.patterns = tuple(patterns)  # may be replaced; the next reading goes by the new ones
        self._files = tuple(files)
        self._positions = positions
        self._thread = LoneThread("reading of log files")
        self._state: _Snapshot | None = None
        self._saved = b""
        self._trails: dict[str, Trail] = {}
        self._counted: tuple[LogPattern, ...] | None = None  # the patterns that counters and scanners are of
        self._counters = Counters((), {})
        self._scanners = Scanners(())
        self.evidence = Evidence()
        self._shown: set[Series] = set()

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """Its own and one for each pattern."""
        of_patterns = tuple(metric for pattern in self.patterns for metric in metrics_of(pattern))
        return METRICS + of_patterns

    async def read(self, now: int) -> list[Sample]:
        """Read what was written since, for two seconds at most; TimeoutError where a disk hangs."""
        if self._state is None:
            self._state = await self._load()
        if self._counted is not self.patterns:
            self._adopt_patterns(self._state)
        before = {series: n for series, n in self._counters.values.items() if series not in self._shown}
        loop = asyncio.get_running_loop()
        until = loop.time() + _BUDGET
        await self._thread.run(partial(self._look, now, self._state), _DEADLINE)
        while await self._thread.run(self._slice, _DEADLINE) and loop.time() < until:
            pass
        await self._save(self._state)
        return [*self._counts(now, before), *self._own(now, self._state.tally)]

    def close(self) -> None:
        """Close the files. What was read since the last reading is not lost: it is read again."""
        for trail in self._trails.values():
            trail.close()

    async def _load(self) -> _Snapshot:
        self._saved = await self._positions.load() or b""
        if not self._saved:
            return _Snapshot()
        try:
            return msgspec.json.decode(self._saved, type=_Snapshot)
        except msgspec.DecodeError as error:
            _log.warning(
                "the saved places in the log files are unreadable (%s): reading from their ends", error
            )
            return _Snapshot()

    async def _save(self, state: _Snapshot) -> None:
        state.watched = list(self._files)
        self._trails = {p: trail for p, trail in self._trails.items() if trail.alive or p in self._files}
        state.marks = {path: list(trail.marks.values()) for path, trail in self._trails.items()}
        state.counts = [(*series, count) for series, count in self._counters.values.items()]
        value = msgspec.json.encode(state)
        if value != self._saved:
            await self._positions.save(value)
            self._saved = value

    def _adopt_patterns(self, state: _Snapshot) -> None:
        values = self._counters.values or {(name, labels): count for name, labels, count in state.counts}
        self._counted, self._scanners = self.patterns, Scanners(self.patterns)
        self._counters = Counters(self.patterns, values)

    def _look(self, now: int, state: _Snapshot) -> None:
        """Find the files, and what happened to them. Runs in the thread, as does _slice."""
        self.failed = {}
        for path, file in islice(find(self._files, state.marks), _FILES):
            if path not in self._trails:
                marks = state.marks.get(path, [] if file in state.watched else None)
                self._trails[path] = Trail(path, marks, state.tally)
            try:
                self._trails[path].look(now)
            except OSError as error:
                self.failed[path] = str(error)

    def _slice(self) -> bool:
        """Count a piece of each file; whether there was any."""
        more = False
        for path, trail in self._trails.items():
            try:
                lines = trail.take()
            except OSError as error:
                self.failed[path] = str(error)
                continue
            if lines:
                more = True
                if (scanner := self._scanners.of(path)) is not None:
                    scanner.count(lines, self._counters, self.evidence, path)
        return more

    def _counts(self, now: int, before: Mapping[Series, float]) -> Iterator[Sample]:
        for series, count in self._counters.values.items():
            if series not in self._shown:
                self._shown.add(series)
                if series[0].endswith("_total"):
                    yield Sample(*series, now - self.interval_ms, float(before.get(series, 0)))
            yield Sample(*series, now, float(count))

    def _own(self, now: int, tally: Tally) -> Iterator[Sample]:
        """The tailer's own series, those of _OWN in their order."""
        behind = sum(trail.behind() for trail in self._trails.values())
        gauges = (behind, len(self._trails), len(self.failed))
        for metric, value in zip(_OWN, (*astuple(tally), *gauges), strict=True):
            yield Sample(metric.name, (), now, float(value))
        yield from self._scanners.samples(now)


def find(files: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path, which of `files` names it) of each file to tail, those in `known` even where they are gone.

    Rotated files belong to their live one's trail. Looks into folders.
    """
    found = {path: file for file in files for path in known if fnmatch(path, file)}
    for file in files:
        found |= dict.fromkeys(glob(file) if has_magic(file) else [file], file)  # noqa: PTH207 of any root
    for path, file in sorted(found.items()):
        if not any(path[:at] in found for at, letter in enumerate(path) if letter in ".-"):
            yield path, file
