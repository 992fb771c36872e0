"""A few busy series among many quiet ones: found whole, and without a matrix as wide as the busiest."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
import pytest

from agent.model import Sample, labels_of
from agent.promql.vectors import STALE
from agent.series import Series, matrix
from agent.series.snapshot import restore, written

START = 1_000_000_000
WINDOW = 300_000


class Both:
    """The same samples in a store that spills as soon as it may, and in one that never does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
        self._patch = monkeypatch
        monkeypatch.setattr(matrix, "_LEAST_COLUMNS", 4)
        self.stores = [Series(WINDOW, longest=longest) for _ in range(2)]

    def each(self, do: Callable[[Series], object]) -> list[object]:
        """What it gives of either."""
        return [self._as(waste, do, store) for waste, store in zip((32, 1 << 40), self.stores, strict=True)]

    def restart(self, longest: int, now: int) -> None:
        """By a snapshot."""

        def again(store: Series) -> Series:
            data = io.BytesIO(b"".join(written(store, set())))
            other = Series(WINDOW, longest=longest)
            restore(other, data, now)
            other.see(now)
            return other

        self.stores = [store for store in self.each(again) if isinstance(store, Series)]

    def _as(self, waste: int, do: Callable[[Series], object], store: Series) -> object:
        self._patch.setattr(matrix, "_WASTE", waste)
        return do(store)


def skewed(random_: random.Random, now: int) -> list[Sample]:
    """Most are of one or two series; some are late, some ahead of the clock."""
    return [
        Sample(
            random_.choice("ab"),
            labels_of({"n": f"{int(random_.random() ** 12 * 40)}"}),
            now + random_.choice((0, 0, 0, 0, -2_000, 60_000 * (random_.random() < 0.02))),
            random_.choice((STALE, 0.0, -0.0, random_.random())),
        )
        for _ in range(random_.randint(0, 6))
    ]


def read(store: Series, name: str, start: int, end: int) -> dict[object, object]:
    """To the last bit, by series."""
    window, latest = store.select(name, (), start, end), store.latest(name, (), start, end)
    cells = {
        labels: (window.times[row, :count].tolist(), window.values[row, :count].tobytes())
        for row, (labels, count) in enumerate(zip(window.rows.labels, window.counts.tolist(), strict=True))
    }
    ends = zip(latest.rows.labels, latest.times.tolist(), latest.found.tolist(), strict=True)
    values = dict(zip(latest.rows.labels, latest.values, strict=True))
    newest = [(labels, at, values[labels].tobytes()) for labels, at, found in ends if found]
    return {"window": cells, "latest": newest, "labels": store.labels_of(name, (), start, end)}


@pytest.mark.parametrize("longest", [64, 10_240])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_spilled_is_found_as_if_it_were_not(
    seed: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any window, over restarts, through sweeps, samples from ahead of the clock, and what is too old."""
    random_, now, both, spilled = random.Random(seed), START, Both(monkeypatch, longest), 0
    for step in range(400):
        now += random_.choice((500, 500, 2_000, 20_000 * (random_.random() < 0.1)))
        samples = skewed(random_, now)
        both.each(lambda store: (store.see(now), store.add(samples)))  # noqa: B023  called at once
        if step % 150 == 149:
            both.restart(longest, now)
        start, end = sorted(random_.choices(range(now - WINDOW, now + 61_000), k=2))
        for name in "ab":
            since = max(start, *(each.shortened_until.get(name, 0) for each in both.stores))
            odd, plain = both.each(lambda store: read(store, name, since, end))  # noqa: B023
            assert odd == plain, (step, name)
            assert both.stores[0].select(name, (), 0, 1 << 60).counts.max(initial=0) < 2 * longest
        spilled += sum(bool(each._spilled) for each in both.stores[0]._blocks.values())
    assert spilled > 50, "or nothing was tried"
    assert (both.stores[0].shortened > 0) == (longest == 64)


def test_a_busy_series_among_a_thousand_quiet_ones_takes_its_own_memory() -> None:
    """They took 101 MB. Also after a restart, and where they began before it."""
    series, labels = Series(7_200_000), [labels_of({"topic": f"t{n}"}) for n in range(1_000)]
    for at in range(START, START + 7_200_000, 1_250):
        series.see(at)
        series.add([Sample("lines", labels[0], at, 1.0)])
    series.add(Sample("lines", each, at, 1.0) for each in labels[1:])
    again = Series(7_200_000)
    restore(again, io.BytesIO(b"".join(written(series, set()))), at)
    again.add(Sample("lines", labels[0], at + n, 1.0) for n in range(1, 3_000))
    for store in (series, again):
        assert store.sizes()["lines"][1] < 2_000_000
        assert np.array_equal(store.select("lines", (), at - 3_600_000, at).counts, [2_880] + [1] * 999)
