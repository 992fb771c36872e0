"""docs/metrics.md from what sources declare: `python -m agent.sources.metrics_page > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

from agent.sources import MetricInfo
from agent.sources.catalogue import TABLES
from agent.sources.jmx_names import JmxMetric
from agent.sources.name_files import shipped

_INTRODUCTION = """\
# Metrics that rules can read

Made by `python -m agent.sources.metrics_page` from the sources' own declarations.
A name that is in no table here is not collected: `ottla rules check` says so.
"""
_LOGS = """\
Each pattern of a `logs.yml` adds `log_<name>_total`, a counter with the pattern's named groups as labels. The
series without labels is always there; where a pattern has groups, it counts the lines beyond 100 series.
"""
_JMX = """\
Named as by the usual jmx_exporter configurations: its own for KRaft and for Kafka 2.0, and Strimzi's. Where
these differ, every name is known. Labels are the ObjectName's key properties but `type` and `name`, without
JMX's quotes. What no rule names is not read. A file of names adds to this table:
[configuration.md](configuration.md#names).
"""
_EXPOSITION = """\
What an exporter exposes has its own names and labels, and the target's labels on top; only what rules name is
read. With agent/lab/jmx_exporter.yml jmx_exporter gives the names of "The broker, by JMX". How targets are
configured: [configuration.md](configuration.md#exporters).
"""
_AGENT = """\
`family` is a metric's name: the largest twenty (the first hundred that lost samples), and `(others)`.
"""
_TEXTS = {"logs": _LOGS, "jmx": _JMX, "exposition": _EXPOSITION, "agent": _AGENT}  # by source


def page() -> str:
    """The whole page, in Markdown."""
    table = shipped().metrics
    infos = tuple(m.info(name) for name, m in table.items() if not m.of)
    mbeans = {name: _origin(name, table) for name, metric in table.items() if not metric.of}
    parts = [_INTRODUCTION]
    for title, source, metrics in TABLES:
        every = (*metrics, *infos) if source == "jmx" else metrics
        parts += [
            f"## {title}\n",
            f"Source: {source}.\n",
            *([_TEXTS[source]] if source in _TEXTS else ()),
            "\n".join(_table(every, mbeans)) + "\n",
        ]
    return "\n".join(parts)


def _origin(name: str, table: Mapping[str, JmxMetric]) -> str:
    attributes = ", ".join(attribute for attribute, _ in table[name].reads)
    others = "".join(f"; also `{other}`" for other, metric in table.items() if metric.of == name)
    return f"`{table[name].mbean} {attributes}`{others}"


def _table(metrics: Iterable[MetricInfo], mbeans: dict[str, str]) -> Iterator[str]:
    yield "| name | type | unit | meaning |"
    yield "|---|---|---|---|"
    for m in metrics:
        meaning = f"{m.help}. {mbeans[m.name]}" if m.name in mbeans else m.help
        yield f"| `{m.name}` | {m.type} | {m.unit} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(page())
