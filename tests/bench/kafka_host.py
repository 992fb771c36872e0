"""A broker's 20,000 series with an hour of samples, and rules as people write them for Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agent.model import Labels, labels_of

STEP_MS = 15_000
STEPS = 240
Line = tuple[Labels, np.ndarray, np.ndarray]  # labels with the name, times (ms), values

_PARTITIONS = 4_000  # twenty of each topic
_TOPICS = 200
_PER_PARTITION = (
    "kafka_cluster_partition_underreplicated",
    "kafka_log_log_size",
    "kafka_log_log_logendoffset",
)
_PER_TOPIC_TOTALS = tuple(
    f"kafka_server_brokertopicmetrics_{name}_total"
    for name in ("messagesin", "bytesin", "bytesout", "failedproducerequests", "failedfetchrequests")
)
_REQUESTS = tuple(f"Request{n}" for n in range(40))
_QUANTILES = ("0.5", "0.75", "0.95", "0.98", "0.99", "0.999")
_BUCKETS = ("0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf")
_GAUGES = 2_440  # of one series each, or a few: what fills a host's exposition up
_LAGS = 4_000

_RATIO = (
    "sum by (topic) (rate(kafka_server_brokertopicmetrics_failedfetchrequests_total[5m]))"
    " / sum by (topic) (rate(kafka_server_brokertopicmetrics_bytesout_total[5m])) > 10 + {n}"
)
_P99 = "histogram_quantile(0.99, sum by (request, le) (rate(kafka_request_seconds_bucket[5m]))) > 10 + {n}"
# How many of 100 rules have which form, each with a threshold of its own. As in public files most look at
# a gauge of the broker, and few at all partitions.
_FORMS = (
    ("kafka_host_gauge_{m} > {n}.5", 34),
    ("kafka_host_gauge_{m} / kafka_host_gauge_{k} > 500 + {n}", 10),
    ("kafka_cluster_partition_underreplicated > {n}", 1),
    ("sum(kafka_cluster_partition_underreplicated) > 300 + {n}", 2),
    ("sum by (topic) (kafka_cluster_partition_underreplicated) > 10 + {n}", 1),
    ("count(kafka_cluster_partition_underreplicated == 1) > 1000 + {n}", 1),
    ("rate(kafka_server_brokertopicmetrics_messagesin_total[5m]) > 60 + {n}", 3),
    ('rate(kafka_server_brokertopicmetrics_bytesin_total{{topic="topic-{t}"}}[5m]) > 60 + {n}', 10),
    ("sum(rate(kafka_server_brokertopicmetrics_bytesout_total[5m])) > 8000 + {n}", 4),
    ("increase(kafka_server_brokertopicmetrics_failedproducerequests_total[10m]) > 55000 + {n}", 3),
    (_RATIO, 2),
    ('kafka_network_requestmetrics_totaltimems{{quantile="0.99"}} > 200 + {n}', 8),
    ('kafka_network_requestmetrics_totaltimems{{request=~"Request[12].*",quantile="0.999"}} > 200 + {n}', 4),
    (_P99, 1),
    ('sum by (group, topic) (kafka_consumergroup_lag{{group="group-{g}"}}) > 100000 + {n}', 5),
    ("max by (group) (kafka_consumergroup_lag) > 10000 + {n}", 1),
    ("avg_over_time(kafka_host_gauge_{m}[15m]) > {n}.7 and on () kafka_host_gauge_{k} > 0", 3),
    ('delta(kafka_log_log_logendoffset{{topic="topic-{t}"}}[30m]) < 0 - {n}', 2),
    ('predict_linear(kafka_log_log_size{{topic="topic-{t}"}}[30m], 3600) > 1e9 + {n}', 1),
    ("topk(3, sum by (topic) (kafka_log_log_size)) > 1e9 + {n}", 1),
    ("max_over_time(kafka_host_gauge_{m}[30m]) - min_over_time(kafka_host_gauge_{m}[30m]) > 200 + {n}", 2),
    ("absent(kafka_host_gauge_{m}) or absent(kafka_host_gauge_{k})", 1),
)


def lines(end: int) -> Iterator[Line]:
    """20,000 series whose newest sample is at `end` (ms), with the swings and slopes of a quiet broker."""
    times = np.arange(end - (STEPS - 1) * STEP_MS, end + 1, STEP_MS, dtype=np.int64)
    steps = np.arange(STEPS)
    for number, (name, pairs, rises) in enumerate(_series()):
        wave = 50 + 49 * np.sin(steps / 20 + number)
        values = np.cumsum(wave * 15) if rises else np.round(wave)
        if name == "kafka_cluster_partition_underreplicated":
            values = np.full(STEPS, float(number % 1000 == 0))
        yield labels_of({"__name__": name, **pairs}), times, values


def _series() -> Iterator[tuple[str, dict[str, str], bool]]:
    """Name, other labels, and whether it is a counter."""
    for name in _PER_PARTITION:
        for number in range(_PARTITIONS):
            topic = {"topic": f"topic-{number % _TOPICS}", "partition": f"{number // _TOPICS}"}
            yield name, topic, name.endswith("offset")
    for name in _PER_TOPIC_TOTALS:
        for number in range(_TOPICS):
            yield name, {"topic": f"topic-{number}"}, True
    for request in _REQUESTS:
        for quantile in _QUANTILES:
            yield (
                "kafka_network_requestmetrics_totaltimems",
                {"request": request, "quantile": quantile},
                False,
            )
        for bucket in _BUCKETS:
            yield "kafka_request_seconds_bucket", {"request": request, "le": bucket}, True
    for number in range(_LAGS):
        group = {
            "group": f"group-{number % 40}",
            "topic": f"topic-{number % 25}",
            "partition": f"{number // 40}",
        }
        yield "kafka_consumergroup_lag", group, False
    for number in range(_GAUGES):
        yield f"kafka_host_gauge_{number}", {}, False


def rules(count: int, every: str) -> str:
    """A rule file of one group with so many alerts, no two of them alike."""
    forms = [form for form, weight in _FORMS for _ in range(weight)]
    assert len(forms) == 100
    alerts = [_alert(number, forms[number % 100]) for number in range(count)]
    return f"groups:\n  - name: bench\n    interval: {every}\n    rules:\n" + "".join(alerts)


def _alert(number: int, form: str) -> str:
    m, k = number * 7 % _GAUGES, number * 11 % _GAUGES
    expr = form.format(n=number, m=m, k=k, t=number % _TOPICS, g=number % 40)
    return (
        f"      - alert: Bench{number}\n        expr: {expr}\n        for: 1m\n"
        f"        labels: {{severity: warning}}\n"
        f'        annotations: {{summary: "{{{{ $labels.topic }}}} is at {{{{ $value | humanize }}}}"}}\n'
    )
