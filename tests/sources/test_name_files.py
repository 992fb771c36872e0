"""Files of metric names: what they declare, and every mistake in them at once."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Sample
from agent.sources.catalogue import declared, others
from agent.sources.jmx_names import JmxMetric
from agent.sources.name_files import OURS, read_names, shipped
from agent.sources.names import Names, Translation
from agent.yaml_marks import Complaints

FILE = """\
metrics:
  broker_traffic_in_bytes_total:
    mbean: "kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec,*"
    counter: Count
    unit: bytes
    labels: {topic: topic_name, type: kind}
    also: [broker_traffic_in]
  heap_bytes:
    mbean: "java.lang:type=Memory"
    gauge: {HeapMemoryUsage/used: {state: used}, HeapMemoryUsage/max: {state: max}}
    divisor: 1024
beans:
  - {mbean: "kafka.server:type=ReplicaManager,name=BusyPercent", gauge: How busy it is}
aliases:
  disk_used: {of: host_log_dir_used_ratio, labels: {path: mountpoint}}
  errors: {of: log_errors_total, where: {level: ERROR}, labels: {level: ""}}
"""


def read(text: str) -> tuple[Names, list[str]]:
    complaints = Complaints()
    return read_names("names.yml", text.encode(), others(), complaints), [*map(str, complaints.sorted())]


def test_a_file_declares_metrics_beans_and_aliases() -> None:
    """On top of the names that every agent knows."""
    names, said = read(FILE)

    assert said == []
    assert shipped().metrics.keys() < names.metrics.keys()
    traffic = names.metrics["broker_traffic_in_bytes_total"]
    assert (traffic.type, traffic.reads, traffic.unit) == ("counter", (("Count", ()),), "bytes")
    assert traffic.labels == (("topic", "topic_name"), ("type", "kind"))
    assert names.metrics["broker_traffic_in"].of == "broker_traffic_in_bytes_total"
    assert dict(names.metrics["heap_bytes"].reads)["HeapMemoryUsage/max"] == (("state", "max"),)
    assert names.metrics["kafka_server_replicamanager_busy_percent"].of.endswith("_busypercent")
    assert declared(names)["disk_used"].unit == "ratio"


def test_the_shipped_table_is_without_fault_and_every_alias_leads_somewhere() -> None:
    """`shipped` asserts the first."""
    names = shipped()

    assert len(names.metrics) > 300
    assert {alias.of for alias in names.aliases.values()} <= others() | names.metrics.keys()


@pytest.mark.parametrize(
    ("mbean", "kind", "names"),
    [
        ("kafka.server:type=X,name=YPerSec,*", "meter", ["kafka_server_x_y_total"]),
        ("kafka.log:type=X,name=a-b-c", "gauge", ["kafka_log_x_a_b_c"]),
        ("kafka.coordinator.group:type=X,name=Y", "gauge", ["kafka_coordinator_group_x_y"]),
        (
            "kafka.network:type=X,name=IdlePercent",
            "gauge",
            ["kafka_network_x_idlepercent", "kafka_network_x_idle_percent"],
        ),
        (
            "kafka.network:type=X,name=TimeMs,request=*",
            "histogram",
            ["kafka_network_x_timems", "kafka_network_x_timems_count", "kafka_network_x_timems_count_total"],
        ),
    ],
)
def test_names_follow_from_object_names_as_with_jmx_exporter(mbean: str, kind: str, names: list[str]) -> None:
    """Lower case, one _ for whatever is no letter or digit; PerSec is cut, Percent told apart."""
    found, said = read(f'beans: [{{mbean: "{mbean}", {kind}: x}}]')

    assert said == []
    assert [name for name in found.metrics if name not in shipped().metrics] == names


def test_every_mistake_is_told_at_once() -> None:
    """With its place and what was probably meant."""
    _, said = read("""\
metrics:
  host_mine: {mbean: "java.lang:type=Memory", gauge: A}
  a-b: {mbean: "java.lang:type=Memory", gauge: A}
  both: {mbean: "java.lang:type=Memory", gauge: A, counter: B}
  where: {mbean: "Memory", gauge: A}
  labels: {mbean: "java.lang:type=Memory", gauge: {A: {a-b: c}}}
beans:
  - {mbean: "kafka.server:name=X,type=Y", gauge: x}
  - {mbean: "kafka.server:type=X,name=Y"}
aliases:
  x: {of: host_log_dir_used_rato}
  process_open_fds: {of: process_max_fds}
alias: {}
""")

    assert said == [
        f"names.yml:2:3: names that begin so are the agent's own: {', '.join(OURS)}",
        "names.yml:3:3: 'a-b' is no metric name; letters, digits, _ and : only",
        "names.yml:4:9: a metric has one of gauge and counter: the attribute; write it like `gauge: Value`",
        (
            "names.yml:5:18: mbean: 'Memory' is no ObjectName"
            "; write it like kafka.server:type=ReplicaManager,name=*"
        ),
        "names.yml:6:11: a metric has one of gauge and counter: the attribute; write it like `gauge: Value`",
        "names.yml:6:55: gauge: 'a-b' is no label name; letters, digits and _ only",
        (
            "names.yml:8:13: mbean: 'kafka.server:name=X,type=Y' does not begin with domain:type="
            "; name it under `metrics`"
        ),
        "names.yml:9:5: a bean has one of gauge, meter, histogram (each with its help) and attributes",
        (
            "names.yml:11:11: of: nothing here collects 'host_log_dir_used_rato'"
            "; did you mean 'host_log_dir_used_ratio'?"
        ),
        "names.yml:12:3: process_open_fds is collected under this name already",
        "names.yml:13:1: unknown key 'alias' in a file of names; did you mean 'aliases'?",
    ]


@settings(max_examples=150)
@given(st.integers(0, len(FILE) - 1), st.text(max_size=3), st.integers(0, 15))
def test_any_slip_is_read_or_complained_of(at: int, put: str, cut: int) -> None:
    """Nothing is ever raised."""
    with suppress(UnicodeEncodeError):
        read(FILE[:at] + put + FILE[at + cut :])


def test_series_are_told_again_under_the_aliases_that_rules_read() -> None:
    """Only those, only where the labels are those meant, with the labels renamed or left out."""
    names, _ = read(FILE)
    told = Translation(names, frozenset({"disk_used", "errors"})).told(
        [
            Sample("host_log_dir_used_ratio", (("path", "/d"),), 7, 0.5),
            Sample("log_errors_total", (("level", "ERROR"),), 7, 2),
            Sample("log_errors_total", (("level", "WARN"),), 7, 9),
        ]
    )

    assert told[3:] == [
        Sample("disk_used", (("mountpoint", "/d"),), 7, 0.5),
        Sample("errors", (), 7, 2),
    ]
    assert names.asked(frozenset({"disk_used", "x"})) == {"host_log_dir_used_ratio", "x"}
    assert len(Translation(names, frozenset()).told([Sample("log_errors_total", (), 7, 1)])) == 1


def test_up_says_whether_the_brokers_jmx_was_read() -> None:
    """The name that every Prometheus rule has for a target that does not answer."""
    sources = [Sample("ottla_source_up", (("source", s),), 7, v) for s, v in (("jmx", 0), ("host", 1))]

    told = Translation(shipped(), frozenset({"up"})).told(sources)

    assert told[2:] == [Sample("up", (), 7, 0)]


def test_target_labels_are_added_and_a_series_own_label_stays() -> None:
    """As with honor_labels: what a remedy is to act on is never hidden by a constant."""
    names = Names({"x": JmxMetric("a:b=c", "gauge", (), "")}, {}, (("cluster", "east"), ("path", "none")))

    told = Translation(names, frozenset()).told([Sample("x", (("path", "/d"),), 7, 1), Sample("y", (), 7, 1)])

    assert [sample.labels for sample in told] == [
        (("cluster", "east"), ("path", "/d")),
        (("cluster", "east"), ("path", "none")),
    ]
