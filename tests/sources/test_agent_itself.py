"""What the agent says of itself: what its store holds, drops and saved."""

from __future__ import annotations

from agent.model import Labels, Sample
from agent.series import Series
from agent.sources.agent_itself import DROPPED, METRICS, AgentItself, Saved


def test_the_largest_families_are_shown_and_the_others_summed_up() -> None:
    series = Series(3_600_000)
    for family in range(25):
        series.add(Sample(f"m{family}", (("n", f"{n}"),), 1, 1.0) for n in range(family + 1))
    source = AgentItself(series, Saved(), 1000)
    samples = {(s.name, dict(s.labels).get("family")): s.value for s in source.samples(5)}
    counts = {family: value for (name, family), value in samples.items() if name == "ottla_series"}
    assert len(counts) == 21
    assert (counts["m24"], counts["m5"], counts["(others)"]) == (25, 6, 1 + 2 + 3 + 4 + 5)
    sizes = {family: value for (name, family), value in samples.items() if name == "ottla_series_bytes"}
    assert sizes["m24"] >= 25 * 16
    assert sum(counts.values()) == series.count


def test_what_was_dropped_is_told_by_family() -> None:
    series = Series(3_600_000, limit=2)
    series.add(Sample("a", (("n", f"{n}"),), 1, 1.0) for n in range(5))
    series.add([Sample("a", (("n", "0"),), 1, 1.0)])
    found = {
        (s.name, dict(s.labels).get("family")): s.value
        for s in AgentItself(series, Saved(ignored=1, left_out=2), 1000).samples(5)
    }
    assert found["ottla_series_dropped_samples_total", "a"] == 3
    assert found["ottla_series_refused_samples_total", None] == 1
    assert found["ottla_snapshot_ignored_total", None] == 1
    assert found["ottla_snapshot_left_out_metrics", None] == 2
    assert ("ottla_snapshot_timestamp_seconds", None) not in found  # none was written yet
    assert {name for name, _ in found} | {"ottla_snapshot_timestamp_seconds"} == {m.name for m in METRICS}


def test_what_was_dropped_never_falls_whoever_drops_most() -> None:
    """A row that goes to another metric would be a counter that restarted."""
    series = Series(3_600_000)
    source, before = AgentItself(series, Saved(), 1000), dict[Labels, float]()
    for family in range(120):
        series.dropped[f"m{family}"] += 1 + family
    for more in (0, 5, 1_000):
        series.dropped["m119"] += more
        rows = {s.labels: s.value for s in source.samples(5) if s.name == DROPPED.name}
        assert (len(rows), sum(rows.values())) == (101, series.dropped.total())
        assert all(rows[labels] >= value for labels, value in before.items())
        before = rows


async def test_it_is_read_where_a_rule_asks_for_it() -> None:
    source = AgentItself(Series(3_600_000), Saved(), 1000)
    source.wanted = frozenset({"kafka_admin_brokers"})
    assert await source.read(5) == []
    source.wanted |= {"ottla_series"}
    assert "ottla_series" in {sample.name for sample in await source.read(5)}
