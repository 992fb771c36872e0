"""What the limit of series drops: the newest name of those with more than their share, and it is counted."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Sample, labels_of
from agent.series import Series

LIMIT = 7
arrivals = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 7)), min_size=10, max_size=60)


def held(series: Series) -> dict[str, int]:
    """How many series each name has, the oldest name first."""
    return {name: count for name, (count, _) in series.sizes().items()}


@given(arrivals)
def test_only_the_newest_name_beyond_its_share_gives_way(arrived: list[tuple[str, int]]) -> None:
    """After each sample: the limit holds; whoever lost something had more than its share, and no newer name
    has; nothing is lost that is not counted."""
    series, given_, lost = Series(10**9, limit=LIMIT), 0, 0
    for at, (name, number) in enumerate(arrived, start=1):
        before, counted = held(series), Counter(series.dropped)
        series.add([Sample(name, labels_of({"n": f"{number}"}), at, 1.0)])
        given_ += 1
        after, gone = held(series), Counter(series.dropped) - counted
        assert sum(after.values()) == series.count <= LIMIT
        share = LIMIT // len({*before, name})
        order = [*before] if name in before else [*before, name]
        for victim in gone:
            assert before.get(victim, 0) + (victim == name) > share
            newer = order[order.index(victim) + 1 :]
            assert all(before.get(each, 0) + (each == name) <= share for each in newer)
        lost += sum(gone.values())
    kept = int(sum(series.select(name, (), 0, 10**6).counts.sum() for name in held(series)))
    assert kept + lost == given_


@given(st.permutations("abc"), st.integers(100, 300))
def test_a_metric_that_explodes_takes_nothing_from_those_that_stay_small(order: list[str], many: int) -> None:
    """Whether it began first or last: also of the others' series that begin later."""
    series = Series(10**9, limit=60)
    for at, name in enumerate(order, start=1):
        series.add([Sample(name, (), at, 1.0)])
    series.add(Sample("a", labels_of({"n": f"{n}"}), 10, 1.0) for n in range(many))
    for name in "bc":
        series.add(Sample(name, labels_of({"n": f"{n}"}), 20, 1.0) for n in range(19))
    assert held(series)["b"] == held(series)["c"] == 20
    assert set(series.dropped) == {"a"} == series.incomplete


def test_more_names_than_series_drop_the_newest_name() -> None:
    series = Series(10**9, limit=2)
    series.add(Sample(name, (), 1, 1.0) for name in "abc")
    assert held(series) == {"a": 1, "b": 1}
    assert series.dropped == {"c": 1}


def test_a_metric_is_whole_again_when_what_was_dropped_would_be_too_old() -> None:
    series = Series(10**9, {"a": 1000, "b": 1000}, limit=2)
    series.add(Sample("a", labels_of({"n": f"{n}"}), 1, 1.0) for n in range(3))
    assert series.incomplete == {"a"}
    series.add([Sample("a", labels_of({"n": "0"}), 1001, 1.0)])
    assert series.incomplete == {"a"}
    series.add([Sample("a", labels_of({"n": "0"}), 1002, 1.0)])
    assert series.incomplete == frozenset()


class Looking(Series):
    """Counts how often it looks for a name that gives way, which walks all of them."""

    looks = 0

    def _make_place(self, name: str) -> bool:
        self.looks += 1
        return super()._make_place(name)


def test_one_look_tells_of_all_that_is_refused_until_something_changes() -> None:
    """A metric that explodes held up the loop for a second at each reading."""
    series = Looking(10**9, limit=60)
    series.add(Sample(name, (), 1, 1.0) for name in "ab")
    for at in (10, 20):
        series.add(Sample("a", labels_of({"n": f"{n}"}), at, 1.0) for n in range(10_000))
    assert (held(series), series.looks) == ({"a": 59, "b": 1}, 1)
    series.add([Sample("b", labels_of({"n": "0"}), 30, 1.0)])
    series.add(Sample("a", labels_of({"n": f"{n}"}), 30, 1.0) for n in range(10_000))
    assert held(series)["b"] == 2
    assert series.looks < 10
