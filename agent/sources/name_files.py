"""Reads files of metric names: the table of this package, and a host's own on top of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

from msgspec.structs import replace

from agent.model import Labels, Place
from agent.sources import jmx_exporter
from agent.sources.jmx_names import JmxMetric
from agent.sources.names import Alias, Names
from agent.yaml_marks import Complaints, Fields, Form, Node, Wrong, closest, compose
from agent.yaml_marks.readers import pairs, positive, text, texts

OURS = (
    "host_",
    "log_",
    "ottla_",
    "kafka_admin_",
    "kafka_probe_",
    "ALERTS",
)  # what other sources' and our own names begin with
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OBJECT = re.compile(r"[^:=,]+:[^=,]+=.+")
_MAX_NAMES = 5_000
_MAX_TARGETS = 20

# Every scrape has an `up` in Prometheus; here it tells whether the broker's JMX was read.
_UP = Alias("ottla_source_up", (("source", "jmx"),), (("source", ""),))


@cache
def shipped() -> Names:
    """The names that every agent knows. Reads a file of this package."""
    data = resources.files("agent.sources").joinpath("jmx_names.yml").read_bytes()
    complaints = Complaints()
    node = compose("jmx_names.yml", data, complaints)
    metrics = _metrics(Form(node, "the table of names", complaints), complaints) if node else {}
    assert not complaints, "\n".join(map(str, complaints.sorted()))
    return Names(metrics, {"up": _UP})


def read_names(file: str, data: bytes, known: frozenset[str], complaints: Complaints) -> Names:
    """A host's own file on top of the shipped names, whose meaning it may change. Never raises.

    `known`: the metrics of other sources than JMX, which aliases may stand for.
    """
    before = shipped()
    node = compose(file, data, complaints)
    if node is None:
        return before
    form = Form(node, "a file of names", complaints)
    metrics = {**before.metrics, **_metrics(form, complaints)}
    aliases = {**before.aliases, **_aliases(form, known | metrics.keys(), complaints)}
    form.close()
    if len(metrics) + len(aliases) > _MAX_NAMES:
        complaints.add(Place(file, 1, 1), f"there are more than {_MAX_NAMES} names")
    return Names(metrics, aliases)


def target_labels(node: Node) -> Labels:
    """`target_labels:` of the configuration: constants for every series, as a scrape's target has them."""
    labels = pairs(node)
    for name, _ in labels:
        _check_label(name, node)
    if len(labels) > _MAX_TARGETS:
        raise Wrong(f"{len(labels)} labels for every series; at most {_MAX_TARGETS}")
    return labels


def _metrics(form: Form, complaints: Complaints) -> dict[str, JmxMetric]:
    found: dict[str, JmxMetric] = {}
    for bean in form.forms("beans", "a bean"):
        found |= _bean(bean)
    section = form.form("metrics", "`metrics`")
    for name, place, one in section.named("metric {!r}") if section else ():
        others = one.get("also", texts, ())
        metric = _metric(one)
        found[name] = metric
        found |= {other: replace(metric, of=name) for other in others}
        for each in (name, *others):
            _check_name(each, place, complaints)
    return found


def _bean(form: Form) -> Mapping[str, JmxMetric]:
    mbean = form.get("mbean", _kafka_object, "", required=True)
    unit, also = form.get("unit", text, ""), form.get("also", text, "")
    told = {kind: form.get(kind, text, "") for kind in _KINDS}
    attributes = [_attribute(each) for each in form.forms("attributes", "an attribute")]
    form.close()
    said = [kind for kind, words in told.items() if words]
    if len(said) + bool(attributes) != 1:
        form.complain("a bean has one of gauge, meter, histogram (each with its help) and attributes")
    if not mbean:
        return {}
    found = {name: metric for kind in said for name, metric in _KINDS[kind](mbean, told[kind], unit).items()}
    for name, words, its_unit in attributes:
        found |= jmx_exporter.attribute(mbean, name, words, its_unit, also)
    return found


def _attribute(form: Form) -> tuple[str, str, str]:
    told = form.get("name", text, "", required=True), form.get("help", text, ""), form.get("unit", text, "")
    form.close()
    return told


def _metric(form: Form) -> JmxMetric:
    gauge, counter = form.get("gauge", _reads, ()), form.get("counter", _reads, ())
    if bool(gauge) is bool(counter):
        form.complain("a metric has one of gauge and counter: the attribute", "write it like `gauge: Value`")
    metric = JmxMetric(
        mbean=form.get("mbean", _object, "", required=True),
        type="counter" if counter else "gauge",
        reads=gauge or counter,
        help=form.get("help", text, ""),
        unit=form.get("unit", text, ""),
        divisor=form.get("divisor", positive, 1),
        labels=form.get("labels", _renamed, ()),
    )
    form.close()
    return metric


def _aliases(form: Form, known: frozenset[str], complaints: Complaints) -> dict[str, Alias]:
    found = {}
    section = form.form("aliases", "`aliases`")
    for name, place, one in section.named("alias {!r}") if section else ():
        _check_name(name, place, complaints)
        if name in known:
            complaints.add(place, f"{name} is collected under this name already", width=len(name))
        alias = Alias(
            of=one.get("of", _one_of(known), "", required=True),
            where=one.get("where", pairs, ()),
            labels=one.get("labels", _renamed, ()),
        )
        one.close()
        found[name] = alias
    return found


def _check_name(name: str, place: Place, complaints: Complaints) -> None:
    if not _NAME.fullmatch(name):
        complaints.add(place, f"{name!r} is no metric name", "letters, digits, _ and : only", len(name))
    elif name.startswith(OURS):  # which source a series is from is told by how its name begins
        complaints.add(place, f"names that begin so are the agent's own: {', '.join(OURS)}", width=len(name))


def _one_of(known: frozenset[str]) -> Callable[[Node], str]:
    def read(node: Node) -> str:
        name = text(node)
        if name not in known and not name.startswith("log_"):  # log patterns stand in the rules' own files
            raise Wrong(f"nothing here collects {name!r}", closest(name, known))
        return name

    return read


def _object(node: Node) -> str:
    name = text(node)
    if not _OBJECT.fullmatch(name):
        raise Wrong(f"{name!r} is no ObjectName", "write it like kafka.server:type=ReplicaManager,name=*")
    return name


def _kafka_object(node: Node) -> str:
    """One whose type says the metric's name."""
    name = _object(node)
    if not jmx_exporter.OBJECT.match(name):
        raise Wrong(f"{name!r} does not begin with domain:type=", "name it under `metrics`")
    return name


def _reads(node: Node) -> tuple[tuple[str, Labels], ...]:
    if isinstance(node, Fields):
        return tuple((attribute, target_labels(value)) for attribute, value in node.fields.items())
    return ((text(node), ()),)


def _renamed(node: Node) -> tuple[tuple[str, str], ...]:
    renamed = pairs(node)
    for _, label in renamed:
        if label:
            _check_label(label, node)
    return renamed


def _check_label(name: str, node: Node) -> None:
    if not _LABEL.fullmatch(name) or name.startswith("__"):
        raise Wrong(f"{name!r} is no label name", "letters, digits and _ only", node.place)


_KINDS = {"gauge": jmx_exporter.gauge, "meter": jmx_exporter.meter, "histogram": jmx_exporter.histogram}
