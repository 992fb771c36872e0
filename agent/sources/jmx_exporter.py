"""Metric names as the usual jmx_exporter configurations for Kafka derive them from ObjectNames.

After examples/kafka-2_0_0.yml and examples/kafka-kraft-3_0_0.yml of prometheus/jmx_exporter, and the
configuration in Strimzi's examples. Where they differ, the second name is another for the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from agent.model import Labels
from agent.sources.jmx_names import JmxMetric

OBJECT = re.compile(r"([^:]+):type=([^,]+)(?:,name=([^,]+))?")
_OTHER = re.compile(r"[^a-z0-9]+")
_PERCENTILES = {"50": "0.50", "75": "0.75", "95": "0.95", "98": "0.98", "99": "0.99", "999": "0.999"}
_VALUE: tuple[tuple[str, Labels], ...] = (("Value", ()),)
_COUNT: tuple[tuple[str, Labels], ...] = (("Count", ()),)

Named = Mapping[str, JmxMetric]


def gauge(mbean: str, help: str, unit: str = "") -> Named:  # noqa: A002  Prometheus's word
    """The attribute Value, as it is."""
    name = _name(mbean)
    other = name.removesuffix("percent") + "_percent" if name.endswith("percent") else ""
    return _with_others(name, JmxMetric(mbean, "gauge", _VALUE, help, unit), other)


def meter(mbean: str, help: str, unit: str = "") -> Named:  # noqa: A002
    """The attribute Count of `<name>PerSec`, as `<name>_total`; its rates are for PromQL to take."""
    metric = JmxMetric(mbean, "counter", _COUNT, help, unit)
    return {_name(mbean).removesuffix("persec") + "_total": metric}


def histogram(mbean: str, help: str, unit: str = "") -> Named:  # noqa: A002
    """The percentiles by `quantile`, and Count; jmx_exporter 1.x adds `_total` to the name of the latter."""
    name = _name(mbean)
    reads = tuple((f"{digits}thPercentile", (("quantile", q),)) for digits, q in _PERCENTILES.items())
    values = JmxMetric(mbean, "gauge", reads, f"{help}, by `quantile`, weighted to the last minutes", unit)
    count = JmxMetric(mbean, "counter", _COUNT, f"{help}: how many were measured")
    return {name: values, **_with_others(f"{name}_count", count, f"{name}_count_total")}


def attribute(mbean: str, name: str, help: str, unit: str = "", also: str = "") -> Named:  # noqa: A002
    """One attribute of a Kafka metric; `also`: what the name begins with in other configurations."""
    kind = "counter" if name.endswith("-total") else "gauge"
    metric = JmxMetric(mbean, kind, ((name, ()),), help, unit)
    end = _plain(name)
    return _with_others(f"{_name(mbean)}_{end}", metric, f"{also}_{end}" if also else "")


def _with_others(name: str, metric: JmxMetric, *others: str) -> Named:
    return {name: metric} | {other: replace(metric, of=name) for other in others if other}


def _name(mbean: str) -> str:
    match = OBJECT.match(mbean)
    assert match, f"{mbean}: an ObjectName is domain:type=...,name=..."
    return "_".join(_parts(match))


def _parts(match: re.Match[str]) -> Iterator[str]:
    yield from (_plain(part) for part in match.groups() if part)


def _plain(text: str) -> str:
    return _OTHER.sub("_", text.lower())
