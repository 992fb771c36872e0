"""docs/metrics.md and the declarations say the same."""

from __future__ import annotations

from pathlib import Path

from agent.sources.metrics_page import page
from agent.sources.name_files import shipped

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_committed_page_is_the_generated_one() -> None:
    """Else make it anew: python -m agent.sources.metrics_page > docs/metrics.md"""
    assert page() == PAGE.read_text(encoding="utf-8")


def test_each_metric_of_the_jmx_table_is_well_declared() -> None:
    """Counters end as Prometheus wants it, but for the JVM's own; each has an attribute, a help, a base."""
    table = shipped().metrics
    for name, metric in table.items():
        ends = name.endswith(("_total", "_sum", "_count"))
        assert metric.type == "gauge" or ends or name.startswith("java_lang_"), name
        assert metric.reads, name
        assert metric.help, name
        assert not metric.of or table[metric.of].reads == metric.reads, name
