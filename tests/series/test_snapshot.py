"""The store's snapshot: all of it comes back, or nothing does; what it covers is not more than it was."""

from __future__ import annotations

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.alerts.judgement import Ground
from agent.model import Labels, RuleHealth, Sample, labels_of
from agent.promql import compile, evaluate  # noqa: A004  as in Prometheus
from agent.promql.vectors import STALE, STALE_BITS
from agent.series import Series, reading, snapshot
from agent.series.snapshot import BadSnapshot, restore, written

MINUTE = 60_000
NOW = 1_700_000_000_000
WINDOW = 120 * MINUTE


def saved(series: Series) -> bytes:
    return b"".join(written(series, set()))


def restored(data: bytes, now: int) -> Series:
    series = Series(WINDOW)
    restore(series, io.BytesIO(data), now)
    return series


def held(series: Series) -> dict[tuple[str, Labels], list[tuple[int, bytes]]]:
    """Every sample, to the last bit."""
    found = {}
    for name in series.sizes():
        samples = series.select(name, (), 0, NOW + WINDOW)
        for row, labels in enumerate(samples.rows.labels):
            times = samples.times[row, : samples.counts[row]].tolist()
            found[name, labels] = [
                (at, value.tobytes()) for at, value in zip(times, samples.values[row], strict=False)
            ]
    return found


names = st.sampled_from(["a", "b", "kafka_server_x"])
labels = st.dictionaries(st.sampled_from(["topic", "path"]), st.text(max_size=5), max_size=2).map(labels_of)
values = st.sampled_from([STALE, math.nan, math.inf, -0.0]) | st.floats()
histories = st.lists(st.tuples(names, labels, st.integers(0, 60_000), values), max_size=60)


@given(histories)
def test_what_is_restored_is_what_was_held(history: list[tuple[str, Labels, int, float]]) -> None:
    series, at = Series(WINDOW), NOW - 50 * MINUTE
    for name, each, passed, value in history:
        at += passed
        series.add([Sample(name, each, at, value)])
    now = max(at, NOW) + 1
    assert held(restored(saved(series), now)) == held(series)


def some() -> Series:
    """Two metrics, one with many series."""
    series = Series(WINDOW, {"a": 10 * MINUTE, "b": 6 * MINUTE})
    for at in range(NOW - 10 * MINUTE, NOW + 1, MINUTE):
        series.add(Sample("a", labels_of({"n": f"{n}"}), at, float(n)) for n in range(3))
        series.add([Sample("b", (), at, 1.0)])
    return series


def test_every_damage_is_noticed_and_nothing_is_taken() -> None:
    data = saved(some())
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x40
        for bad in (bytes(damaged), data[:at]):
            series = Series(WINDOW)
            with pytest.raises(BadSnapshot):
                restore(series, io.BytesIO(bad), NOW)
            assert (series.count, series.first_at) == (0, None)


def test_another_version_is_no_snapshot() -> None:
    with pytest.raises(BadSnapshot, match="begins with b'ottla series 2"):
        restored(saved(some()).replace(b"series 1", b"series 2", 1), NOW)


def test_samples_beyond_the_window_and_of_a_clock_that_was_set_back_are_left_out() -> None:
    times = restored(saved(some()), NOW - 2 * MINUTE).select("a", (), 0, NOW + WINDOW).times
    assert times.max() == NOW - 2 * MINUTE  # else the next samples would be refused as older
    assert restored(saved(some()), NOW - 2 * MINUTE).first_at is None  # how old they are nobody knows
    assert restored(saved(some()), NOW - 2_000).first_at == NOW - 10 * MINUTE  # it was slewed
    late = restored(saved(some()), NOW + 118 * MINUTE).select("a", (), 0, NOW + WINDOW).times
    assert late.min() == NOW - MINUTE


def test_after_a_short_gap_it_covers_what_it_covered_and_range_rules_are_judged_at_once() -> None:
    series = restored(saved(some()), NOW + 4 * MINUTE)
    series.want({"a": 10 * MINUTE, "b": 10 * MINUTE, "c": 6 * MINUTE})
    assert series.first_at == NOW - 10 * MINUTE
    assert series.later == {"b": NOW - 2 * MINUTE, "c": NOW + 4 * MINUTE}
    assert evaluate(compile("count_over_time(a[10m])"), series, NOW + 4 * MINUTE)


def test_after_a_gap_that_no_lookback_bridges_the_cover_begins_anew() -> None:
    series = restored(saved(some()), NOW + 6 * MINUTE)
    series.want({"a": 10 * MINUTE})
    assert series.first_at is None
    series.add([Sample("a", labels_of({"n": "0"}), NOW + 6 * MINUTE, 0.0)])
    assert series.first_at == NOW + 6 * MINUTE
    assert len(series.select("a", (), NOW - 5 * MINUTE, NOW).times) == 3


def test_a_series_that_does_not_return_ends_by_the_lookback_and_no_marker_is_invented() -> None:
    series = restored(saved(some()), NOW + MINUTE)
    assert len(evaluate(compile("a"), series, NOW + 4 * MINUTE)) == 3
    assert evaluate(compile("a"), series, NOW + 5 * MINUTE) == ()
    values_ = series.select("a", (), 0, NOW + WINDOW).values
    assert not (values_.view("i8") == STALE_BITS).any()


@pytest.mark.parametrize(("after", "grown"), [(130.0, 30.0), (20.0, 20.0)])
def test_a_counter_over_the_gap_is_what_prometheus_sees(after: float, grown: float) -> None:
    """It grew by the difference, or from zero where its process was restarted meanwhile."""
    series = Series(WINDOW)
    series.add([Sample("c", (), NOW - MINUTE, 100.0), Sample("c", (), NOW, 100.0)])
    again = restored(saved(series), NOW + 3 * MINUTE)
    again.add([Sample("c", (), NOW + 3 * MINUTE, after)])
    (point,) = evaluate(compile("sum(increase(c[4m1s]))"), again, NOW + 3 * MINUTE)
    assert point.value == pytest.approx(grown, rel=0.01)


def test_what_would_be_too_large_is_left_out_the_newest_names_first(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller, left_out = without_room_for_b(monkeypatch)
    assert left_out == {"b"}
    assert {name for name, _ in held(restored(smaller, NOW))} == {"a"}


def without_room_for_b(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, set[str]]:
    """What is written, and what is told."""
    data, left_out = saved(some()), set[str]()
    monkeypatch.setattr(snapshot, "MAX_BYTES", len(data) + 900)
    smaller = b"".join(written(some(), left_out))
    assert len(smaller) < len(data)
    return smaller, left_out


def test_what_was_left_out_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that counts its samples is cold: it would count the few from after the restart alone."""
    series = restored(without_room_for_b(monkeypatch)[0], NOW + MINUTE)
    series.want({"a": 10 * MINUTE, "b": 6 * MINUTE})
    for at in (NOW + MINUTE, NOW + 6 * MINUTE):
        series.add([Sample("a", labels_of({"n": "0"}), at, 0.0), Sample("b", (), at, 1.0)])
        ground = Ground(series, series.first_at, later=series.later)
        for text, judged_at in (
            ("count_over_time(a[10m]) < 2", NOW),
            ("count_over_time(b[5m]) < 2", NOW + 6 * MINUTE),
        ):
            expected = RuleHealth.OK if at >= judged_at else RuleHealth.COLD
            assert ground.obstacle(compile(text), at)[0] is expected, (text, at)


def test_a_metric_comes_back_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one with several pieces all are left out where the last has no room, and so are all newer ones."""
    monkeypatch.setattr(reading, "_CELLS", 16)
    for size in range(len(saved(some())) + 1100, 1100, -60):
        monkeypatch.setattr(snapshot, "MAX_BYTES", size)
        left_out = set[str]()
        data = b"".join(written(some(), left_out))
        series = restored(data, NOW)
        assert len(data) <= size
        assert {name: len(times) for (name, _), times in held(series).items()}.keys() == {"a", "b"} - left_out
        assert series.count == (0 if "a" in left_out else 3) + ("b" not in left_out)
        assert series.later == dict.fromkeys(left_out, NOW)
    assert left_out == {"a", "b"}


def test_what_was_dropped_before_a_restart_is_still_lacking_after_it() -> None:
    """Else a rule would be judged on the series that there was room for, as if they were all."""
    series = Series(WINDOW, limit=2)
    series.add(Sample("a", labels_of({"n": f"{n}"}), NOW, 1.0) for n in range(3))
    again = restored(saved(series), NOW + MINUTE)
    assert again.incomplete == {"a"}
    again.add([Sample("a", labels_of({"n": "0"}), NOW + WINDOW + MINUTE, 1.0)])
    assert again.incomplete == frozenset()


def test_a_piece_with_long_labels_comes_back() -> None:
    """It had more than the 16 MiB that the next start took."""
    series = Series(WINDOW)
    series.add([Sample("a", labels_of({"n": f"{n:09000}"}), NOW, 1.0) for n in range(2_000)])
    again = restored(saved(series), NOW)
    assert again.count == 2_000
