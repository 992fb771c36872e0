"""The agent as a source: what its window store holds and drops, its snapshots, its memory and processor."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from agent.model import Labels, Sample
from agent.series import Series
from agent.sources import MetricInfo

_SHOWN = 20  # metrics with series of their own here, the largest; the others are summed up
_OTHERS = "(others)"  # no metric is called so
_DROPPERS = 100  # the first so many that lost samples: which they are never changes, as no counter may fall

SERIES = MetricInfo("ottla_series", "gauge", "", "Series in the window store, by `family`")
BYTES = MetricInfo("ottla_series_bytes", "gauge", "bytes", "Memory of their samples, by `family`")
DROPPED = MetricInfo(
    "ottla_series_dropped_samples_total",
    "counter",
    "",
    "Samples dropped since there were more series than the store holds, by `family`",
)
REFUSED = MetricInfo(
    "ottla_series_refused_samples_total", "counter", "", "Samples that were not newer than their series' last"
)
OLD = MetricInfo(
    "ottla_series_old_samples_total",
    "counter",
    "",
    "Samples refused since their own time was before all that is kept of their metric",
)
SHORTENED = MetricInfo(
    "ottla_series_shortened_samples_total",
    "counter",
    "",
    "Samples dropped before their time: too many in one series",
)
SET_BACK = MetricInfo(
    "ottla_series_set_back_total",
    "counter",
    "",
    "Times that the store forgot all, since the wall clock was set back by more than 5 s",
)
SAVED_AT = MetricInfo(
    "ottla_snapshot_timestamp_seconds", "gauge", "seconds", "When the store was last written to disk"
)
SAVED_BYTES = MetricInfo("ottla_snapshot_bytes", "gauge", "bytes", "Size of that snapshot")
LEFT_OUT = MetricInfo(
    "ottla_snapshot_left_out_metrics", "gauge", "", "Metrics that it had no room for: cold after a restart"
)
FAILED = MetricInfo("ottla_snapshot_failures_total", "counter", "", "Snapshots that could not be written")
DAMAGED = MetricInfo(
    "ottla_snapshot_ignored_total",
    "counter",
    "",
    "Snapshots found at the start that were damaged or of another version",
)
MEMORY = MetricInfo("ottla_process_resident_memory_bytes", "gauge", "bytes", "Resident memory of the agent")
CPU = MetricInfo("ottla_process_cpu_seconds_total", "counter", "seconds", "Processor time of the agent")
METRICS = (
    SERIES,
    BYTES,
    DROPPED,
    REFUSED,
    OLD,
    SHORTENED,
    SET_BACK,
    SAVED_AT,
    SAVED_BYTES,
    LEFT_OUT,
    FAILED,
    DAMAGED,
    MEMORY,
    CPU,
)
_NAMES = frozenset(metric.name for metric in METRICS)


class Saved(Struct):
    """What became of the store's snapshots in this life. `at`: when the last was written (ms)."""

    at: int | None = None
    bytes: int = 0
    left_out: int = 0
    failed: int = 0
    ignored: int = 0


class AgentItself:
    """Reads its own process, where anything of METRICS is in `wanted`: at first nothing. Never fails."""

    name = "agent"
    partial = False
    metrics = METRICS

    def __init__(self, series: Series, saved: Saved, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.wanted = frozenset[str]()
        self._series = series
        self._saved = saved

    async def read(self, now: int) -> list[Sample]:
        """The samples of METRICS."""
        return list(self.samples(now)) if self.wanted & _NAMES else []

    def samples(self, now: int) -> Iterator[Sample]:
        """The same, for whoever wants them at another time."""
        sizes = self._series.sizes()
        yield from _largest(SERIES, {name: count for name, (count, _) in sizes.items()}, now)
        yield from _largest(BYTES, {name: held for name, (_, held) in sizes.items()}, now)
        yield from _by_family(DROPPED, list(self._series.dropped.items()), now, _DROPPERS)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        values: dict[MetricInfo, float | None] = {
            REFUSED: self._series.refused,
            OLD: self._series.old,
            SHORTENED: self._series.shortened,
            SET_BACK: self._series.set_back,
            SAVED_AT: None if self._saved.at is None else self._saved.at / 1000,
            SAVED_BYTES: self._saved.bytes,
            LEFT_OUT: self._saved.left_out,
            FAILED: self._saved.failed,
            DAMAGED: self._saved.ignored,
            MEMORY: _resident(),
            CPU: usage.ru_utime + usage.ru_stime,
        }
        yield from (_sample(metric, (), now, value) for metric, value in values.items() if value is not None)


def _largest(metric: MetricInfo, values: dict[str, int], now: int) -> Iterator[Sample]:
    return _by_family(metric, sorted(values.items(), key=lambda each: -each[1]), now, _SHOWN)


def _by_family(
    metric: MetricInfo, values: Sequence[tuple[str, int]], now: int, shown: int
) -> Iterator[Sample]:
    """A series for each of the first, one for all others together."""
    for name, value in values[:shown]:
        yield _sample(metric, (("family", name),), now, value)
    yield _sample(metric, (("family", _OTHERS),), now, sum(value for _, value in values[shown:]))


def _sample(metric: MetricInfo, labels: Labels, now: int, value: float) -> Sample:
    return Sample(metric.name, labels, now, float(value))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # the kernel's own, no disk
    return pages * os.sysconf("SC_PAGE_SIZE")
