"""The window store read by queries while samples come: nothing torn, nothing lost, nobody waits long."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import numpy as np

from agent.model import Labels, Sample, labels_of
from agent.promql.nodes import Matcher
from agent.promql.vectors import NEVER
from agent.series import Series

HOUR = 3_600_000


def sets(count: int, generation: int = 0) -> list[Labels]:
    return [labels_of({"i": f"{i}", "generation": f"{generation}"}) for i in range(count)]


@contextmanager
def reading(read: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Read in a thread, over and over; at the end the errors that it met are in the list."""
    over, met = threading.Event(), list[BaseException]()

    def work() -> None:
        while not over.is_set() and not met:
            try:
                read()
            except BaseException as error:  # noqa: BLE001  whatever it is, the test shows it
                met.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield met
    finally:
        over.set()
        thread.join(20)


def test_what_is_read_is_whole_while_series_come_and_go() -> None:
    """Every sample's value is its own time; series begin, rows shift, and old ones are swept meanwhile."""
    series = Series(60_000, limit=5_000)
    reads = 0

    def read() -> None:
        nonlocal reads
        now = series._newest
        window = series.select(None, (), now - 60_000, now)
        inside = window.times != NEVER
        assert (inside.sum(axis=1) == window.counts).all()
        assert (window.values[inside] == window.times[inside]).all()
        assert (np.diff(np.where(inside, window.times, NEVER), axis=1) >= 0).all()
        latest = series.latest("a", (), 0, now)
        assert (latest.values[latest.found] == latest.times[latest.found]).all()
        found = series.labels_of("a", (), 0, now)
        assert len(set(found)) == len(found)
        reads += 1

    with reading(read) as met:
        for at in range(1, 1_500_000, 1_000):
            known = sets(300 + at // 10_000 % 100, generation=at // 120_000)
            series.add(Sample("a", labels, at, float(at)) for labels in known)
    assert met == []
    assert reads > 20


def test_a_series_that_begins_while_a_selection_is_made_is_found_afterwards() -> None:
    """What a thread remembers of a selection is never older than the series."""
    series = Series(HOUR)

    def read() -> None:
        series.select("a", (), 0, HOUR)

    with reading(read) as met:
        for at, labels in enumerate(sets(1_000), start=1):
            series.add([Sample("a", labels, at, 1.0)])
            assert len(series.labels_of("a", (), 0, HOUR)) == at
    assert met == []


@contextmanager
def handing_over() -> Iterator[None]:
    """Whatever allocates may collect garbage, and a finalizer lets others run: so in the middle of a copy."""

    def hand_over(*_: object) -> None:
        time.sleep(0)

    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # else each collection takes its time
    gc.callbacks.append(hand_over)
    gc.set_threshold(50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(hand_over)
        gc.unfreeze()


def test_series_may_begin_while_they_are_looked_through() -> None:
    series = Series(HOUR)
    series.add(Sample("a", labels, 1, 1.0) for labels in sets(1_000))
    with handing_over(), reading(lambda: _ignored(series.labels_of("a", (), 0, HOUR))) as met:
        for labels in sets(500, generation=1):
            series.add([Sample("a", labels, 2, 1.0)])
    assert met == []


def test_metrics_may_begin_while_all_are_looked_through() -> None:
    """By a selector without a name."""
    series, odd, reads = Series(HOUR), (Matcher("__name__", "=", "odd"),), list[int]()
    series.add(Sample(f"a{n}", (), 1, 1.0) for n in range(2_000))

    def read() -> None:
        series.labels_of(None, odd, 0, HOUR)
        reads.append(1)

    with handing_over(), reading(read) as met:
        for n in range(15_000):
            series.add([Sample(f"b{n}", (), 2, 1.0)])
            if met or len(reads) > 20:
                break
    assert met == []


def test_metrics_may_begin_while_a_snapshot_is_written() -> None:
    series = Series(HOUR)
    series.add(Sample(f"old_{i}", (), 1, 1.0) for i in range(1_000))

    def read() -> None:
        series.held()
        series.sizes()
        assert all(list(series.pieces(name)) for name in islice(series.names, 1_000))

    with handing_over(), reading(read) as met:
        for i in range(200):
            series.add([Sample(f"new_{i}", (), 2, 1.0)])
    assert met == []


class Counted:
    """A lock that counts how often it was taken."""

    def __init__(self) -> None:
        self.taken = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_large_window_is_read_a_few_rows_at_a_time() -> None:
    """Who adds a sample waits for 256 rows at the most, and not for as long as 4,000 take."""
    series, lock = Series(2 * HOUR), Counted()
    series._lock = lock  # type: ignore[assignment]
    for step in range(3):
        series.add(Sample("a", labels, step * 15_000, 1.0) for labels in sets(4_000))
    series.labels_of("a", (), 0, HOUR)
    for read in (series.select, series.latest):
        lock.taken = 0
        read("a", (), -1, 4 * HOUR)
        assert lock.taken >= 4_000 / 256


def _ignored(_: object) -> None:
    return None
