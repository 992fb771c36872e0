"""Random samples: gauges, counters with resets, buckets; gaps, NaN, infinities, stale markers."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.model import Labels, Sample, labels_of
from agent.promql.vectors import STALE
from agent.series import Series

STEP = 15_000
SHIFT = 7  # ms: no sample stands on the edge of a window that begins and ends on half seconds
_BOUNDS = ("1", "2", "5", "+Inf")
_FUTURE = 4  # samples after the moment, for negative offsets

Key = tuple[str, Labels]  # the metric's name and the other labels
Run = list[tuple[int, float | None]]  # (ms since the epoch, value); None is a stale marker


@dataclass(frozen=True)
class Data:
    """Samples of each series before a moment (ms since the epoch) and a little after it."""

    moment: int
    series: dict[Key, Run]

    def store(self) -> Series:
        """Them all in a window store."""
        store = Series(window_ms=10**10)
        for (name, labels), run in self.series.items():
            store.add(Sample(name, labels, at, STALE if value is None else value) for at, value in run)
        return store

    def columns(self) -> Iterator[tuple[Labels, npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """As remote write sends them."""
        for key, run in self.series.items():
            values = np.array([STALE if value is None else value for _, value in run])
            yield full_labels(key), np.array([at for at, _ in run], np.int64), values

    def moved(self, moment: int) -> Data:
        """The same at another moment."""
        by = moment - self.moment
        return Data(moment, {key: [(at + by, v) for at, v in run] for key, run in self.series.items()})

    def without(self, key: Key) -> Data:
        """The same without one series."""
        return Data(self.moment, {k: run for k, run in self.series.items() if k != key})

    def __str__(self) -> str:
        """For people: `name{labels} seconds:value …`, seconds counted from the moment."""
        return "\n".join(
            f"{dict(full_labels(key))} "
            + " ".join(f"{(at - self.moment) / 1000:g}:{'stale' if v is None else v}" for at, v in run)
            for key, run in self.series.items()
        )


def full_labels(key: Key) -> Labels:
    """The labels with the name."""
    return tuple(sorted((*key[1], ("__name__", key[0]))))


def _universe() -> tuple[Key, ...]:
    two = [{"a": a, "b": b} for a in ("", "1", "2", "12") for b in ("", "x", "y")]
    pairs = [(name, labels) for name in "cgu" for labels in two]
    pairs += [("h_bucket", {"a": a, "le": le}) for a in "12" for le in (*_BOUNDS, "odd")]
    pairs += [("k", {"a": a}) for a in ("", "1", "2")]
    keys = [(name, labels_of({k: v for k, v in labels.items() if v})) for name, labels in pairs]
    return tuple(sorted(keys, key=full_labels))


_UNIVERSE = _universe()  # all series that can be


def random_data(moment: int, seed: int, length: int, *, wild: bool) -> Data:
    """Up to `length` samples of some of the series; only where `wild` there are NaN and infinities."""
    chance = random.Random(seed)
    first = moment - (length - _FUTURE) * STEP + SHIFT
    buckets = {a: _buckets(chance, length, wild) for a in "12"}
    series: dict[Key, Run] = {}
    for rank, key in enumerate(_UNIVERSE):
        name, labels = key
        if name == "h_bucket":
            values = buckets[dict(labels)["a"]][dict(labels)["le"]]
        elif chance.random() < 0.4:
            continue
        elif name == "c":
            values = _counter(chance, length)
        else:
            values = _ranked(chance, length, rank) if name == "u" else _gauge(chance, length, wild)
        run = [(first + i * STEP, value) for i, value in values]
        if run:
            series[key] = run
    return Data(moment, series)


Values = list[tuple[int, float | None]]  # which sample, and its value


def _gauge(chance: random.Random, length: int, wild: bool) -> Values:
    pool: Sequence[float] = chance.choice(
        [(0, 1), (1, 2, 3, 5, 8), (-2, -0.5, 0.5, 7), (4,), (0.1, 1e3, -1e3)]
    )
    if wild:
        pool = [*pool, *pool, math.nan, chance.choice([math.inf, -math.inf, math.nan])]
    gaps, stale = chance.choice([0, 0, 0.1, 0.5]), chance.choice([0, 0.1])
    begin = chance.choice([0, 0, chance.randrange(length)])
    values: Values = []
    for i in range(begin, length):
        if chance.random() >= gaps:
            values.append((i, None if values and chance.random() < stale else float(chance.choice(pool))))
    return values


def _ranked(chance: random.Random, length: int, rank: int) -> Values:
    """No two series with the same value, average, least or largest."""
    return [(i, rank + chance.random()) for i in range(length)]


def _counter(chance: random.Random, length: int) -> Values:
    """From 0, and from 0 again after a gap: Prometheus 3 extrapolates otherwise to a zero before a gap."""
    step: Sequence[float] = chance.choice([(0,), (1,), (0, 0, 1), (0, 2.5, 7), (10, 20, 500)])
    resets, gaps = chance.choice([0, 0.05, 0.3]), chance.choice([0, 0, 0.1])
    begin = chance.choice([0, 0, chance.randrange(length)])
    value, values, i = 0.0, Values(), begin
    while i < length:
        values.append((i, value))
        i += 1
        value = chance.choice([0.0, value / 2]) if chance.random() < resets else value + chance.choice(step)
        if chance.random() < gaps:
            if chance.random() < 0.5 and i < length:
                values.append((i, None))
            i += chance.randrange(1, 30)
            value = 0.0
    return values


def _buckets(chance: random.Random, length: int, wild: bool) -> dict[str, Values]:
    """By bound; the counts grow with the bound, or are NaN in places, or else are anything."""
    anything = chance.random() < 0.2
    missing = set(chance.choices(_BOUNDS, k=chance.choice([0, 0, 0, 1, 2])))
    found: dict[str, Values] = {le: [] for le in (*_BOUNDS, "odd")}
    counts = dict.fromkeys(_BOUNDS, 0.0)
    for i in range(length):
        below = 0.0
        for le in _BOUNDS:
            below += chance.choice([0, 0, 1, 3])
            counts[le] = float(chance.randrange(9)) if anything else counts[le] + below
            unknown = wild and not anything and chance.random() < 0.1
            if le not in missing:
                found[le].append((i, math.nan if unknown else counts[le]))
        found["odd"].append((i, 5.0))
    return found
