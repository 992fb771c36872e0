"""docs/metrics.md and the declarations say the same."""

from __future__ import annotations

from pathlib import Path

from agent.sources.jmx_names import load
from agent.sources.metrics_page import page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_committed_page_is_the_generated_one() -> None:
    """Else make it anew: python -m agent.sources.metrics_page > docs/metrics.md"""
    assert page() == PAGE.read_text(encoding="utf-8")


def test_each_metric_of_the_jmx_table_is_well_declared() -> None:
    """Counters end as Prometheus wants it, each has one attribute, and patterns end in a wildcard."""
    for name, metric in load().items():
        assert bool(metric.gauge) != bool(metric.counter), name
        assert metric.gauge or name.endswith(("_total", "_sum", "_count")), name
        assert metric.mbean.count("*") == metric.mbean.endswith("*"), name
        assert metric.help, name
