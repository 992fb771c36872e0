"""The same samples for an agent's API and a real Prometheus: ordinary ones, and every kind of odd value."""

from __future__ import annotations

import math

import numpy as np
from fake_surface import NOW

from agent.model import Labels, Sample, labels_of
from agent.series import Series

STEP = 15_000
COUNT = 41  # samples: ten minutes
ODD = (math.nan, math.inf, -math.inf, -0.0, 1e-7, 1e-6, 1e20, 1e21, 123456789.123, 5e-324)

Lines = list[tuple[Labels, np.ndarray, np.ndarray]]  # of int64, and of float64


def lines() -> Lines:
    """Labels with the name, times (ms) and values of each series; the newest sample is at NOW."""
    times = np.arange(NOW - (COUNT - 1) * STEP, NOW + 1, STEP, dtype=np.int64)
    rise = np.arange(COUNT, dtype=float)
    made: Lines = [(_labels("odd", kind=f"{n}"), times, np.full(COUNT, value)) for n, value in enumerate(ODD)]
    for host in ("a", "b", 'c "quoted" \\ ü\n'):
        made.append((_labels("up", host=host, job="kafka"), times, rise % 2))
        made += [(_labels("work_total", host=host, path=f"/d{n}"), times, rise * (n + 1)) for n in (1, 2)]
    made.append((_labels("early", host="a"), times[:5], rise[:5]))
    made.append((_labels("late", host="a"), times[-2:] + 7, rise[-2:]))
    return made


def store() -> Series:
    """An agent's store of them."""
    series = Series(2 * 3_600_000)
    for labels, times, values in lines():
        pairs = dict(labels)
        name = pairs.pop("__name__")
        rows = zip(times.tolist(), values.tolist(), strict=True)
        series.add(Sample(name, labels_of(pairs), at, value) for at, value in rows)
    return series


def _labels(name: str, **pairs: str) -> Labels:
    return labels_of({"__name__": name, **pairs})
