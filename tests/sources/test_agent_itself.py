"""What the agent says of itself: what its store holds, drops and saved."""

from __future__ import annotations

from agent.model import Sample
from agent.series import Series
from agent.sources.agent_itself import METRICS, AgentItself, Saved


async def test_the_largest_families_are_shown_and_the_others_summed_up() -> None:
    series = Series(3_600_000)
    for family in range(25):
        series.add(Sample(f"m{family}", (("n", f"{n}"),), 1, 1.0) for n in range(family + 1))
    source = AgentItself(series, Saved(), 1000)
    samples = {(s.name, dict(s.labels).get("family")): s.value for s in await source.read(5)}
    counts = {family: value for (name, family), value in samples.items() if name == "ottla_series"}
    assert len(counts) == 21
    assert (counts["m24"], counts["m5"], counts["others"]) == (25, 6, 1 + 2 + 3 + 4 + 5)
    sizes = {family: value for (name, family), value in samples.items() if name == "ottla_series_bytes"}
    assert sizes["m24"] >= 25 * 16
    assert sum(counts.values()) == series.count


async def test_what_was_dropped_is_told_by_family() -> None:
    series = Series(3_600_000, limit=2)
    series.add(Sample("a", (("n", f"{n}"),), 1, 1.0) for n in range(5))
    series.add([Sample("a", (("n", "0"),), 1, 1.0)])
    found = {
        (s.name, dict(s.labels).get("family")): s.value
        for s in await AgentItself(series, Saved(ignored=1), 1000).read(5)
    }
    assert found["ottla_series_dropped_samples_total", "a"] == 3
    assert found["ottla_series_refused_samples_total", None] == 1
    assert found["ottla_snapshot_ignored_total", None] == 1
    assert ("ottla_snapshot_timestamp_seconds", None) not in found  # none was written yet
    assert {name for name, _ in found} | {"ottla_snapshot_timestamp_seconds"} == {m.name for m in METRICS}
