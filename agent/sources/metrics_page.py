"""docs/metrics.md from what sources declare: `python -m agent.sources.metrics_page > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from agent.sources import MetricInfo, cluster, host, jmx_names, jolokia, logs, schedule

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
Named as by the usual jmx_exporter configuration for KRaft. Labels are the ObjectName's key properties but
`type` and `name`, without JMX's quotes. What no rule names is not read.
"""


def page() -> str:
    """The whole page, in Markdown."""
    table = jmx_names.load()
    sections = (
        ("host", "Log dirs, by `path`", "", host.METRICS),
        ("cluster", "The cluster, by the admin protocol", "", cluster.METRICS),
        ("logs", "Log lines", _LOGS, logs.METRICS),
        ("jmx", "The broker, by JMX", _JMX, (*jolokia.METRICS, *(m.info(name) for name, m in table.items()))),
        ("every source", "The sources themselves, by `source`", "", schedule.METRICS),
    )
    mbeans = {name: f"{metric.mbean} {metric.attribute}" for name, metric in table.items()}
    parts = [_INTRODUCTION]
    for source, title, text, metrics in sections:
        parts += [
            f"## {title}\n",
            f"Source: {source}.\n",
            *([text] if text else ()),
            "\n".join(_table(metrics, mbeans)) + "\n",
        ]
    return "\n".join(parts)


def _table(metrics: Iterable[MetricInfo], mbeans: dict[str, str]) -> Iterator[str]:
    yield "| name | type | unit | meaning |"
    yield "|---|---|---|---|"
    for m in metrics:
        meaning = f"{m.help}. `{mbeans[m.name]}`" if m.name in mbeans else m.help
        yield f"| `{m.name}` | {m.type} | {m.unit} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(page())
