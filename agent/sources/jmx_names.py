"""Which MBean attribute stands behind which metric name: the table in jmx_names.yml, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

import msgspec
import yaml

from agent.model import Labels
from agent.sources import MetricInfo

# Values of key properties that hold other than word characters are quoted, and escaped with a backslash.
_PROPERTY = re.compile(r'([^=,]+)=(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")


class JmxMetric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute of one MBean, or of all that an ObjectName pattern matches, as a metric."""

    mbean: str
    help: str
    gauge: str = ""  # the attribute's name, here or in `counter`
    counter: str = ""
    unit: str = ""
    divisor: int = 1  # from the attribute's unit to the metric's
    name_label: str = ""  # the label that takes the key property `name`

    @property
    def attribute(self) -> str:
        """The MBean attribute to read."""
        return self.gauge or self.counter

    def info(self, name: str) -> MetricInfo:
        """The declaration of this metric under its name."""
        return MetricInfo(name, "gauge" if self.gauge else "counter", self.unit, self.help)


def load() -> Mapping[str, JmxMetric]:
    """The table by metric name. Reads a file of this package."""
    text = resources.files("agent.sources").joinpath("jmx_names.yml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, yaml.CSafeLoader), dict[str, JmxMetric])


def labels_of_object(object_name: str, name_label: str) -> Labels:
    """The labels in a JMX ObjectName, `domain:key=value,key="quoted value"`."""
    labels = []
    for key, quoted, plain in _PROPERTY.findall(object_name.partition(":")[2]):
        label = {"type": "", "name": name_label}.get(key, key)
        if label:
            labels.append((label, _ESCAPED.sub(r"\1", quoted) or plain))
    return tuple(sorted(labels))
