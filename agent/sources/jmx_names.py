"""What stands behind a metric name: attributes of MBeans, and how their ObjectNames become labels."""

from __future__ import annotations

import re

from msgspec import Struct

from agent.model import Labels
from agent.sources import MetricInfo

# Values of key properties that hold other than word characters are quoted, and escaped with a backslash
# as by javax.management.ObjectName.quote, with \\n for a line's end.
_PROPERTY = re.compile(r'([^=,]+)=(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class JmxMetric(Struct, frozen=True):
    """One metric: attributes of one MBean, or of all that an ObjectName pattern matches.

    `reads`: each attribute, `HeapMemoryUsage/used` where it is inside a composite one, with the labels that
    its series has besides the ObjectName's. `divisor` turns the attribute's unit into the metric's.
    `labels`: key property → label, empty to leave it out; those not named keep their names, but for type
    and name. `of`: the name that this one is another for.
    """

    mbean: str
    type: str  # gauge | counter
    reads: tuple[tuple[str, Labels], ...]
    help: str
    unit: str = ""
    divisor: int = 1
    labels: tuple[tuple[str, str], ...] = ()
    of: str = ""

    def info(self, name: str) -> MetricInfo:
        """The declaration of this metric under its name."""
        return MetricInfo(name, self.type, self.unit, self.help)


def is_pattern(mbean: str) -> bool:
    """Whether an ObjectName stands for several: * and ? are wild, but those escaped inside quotes."""
    bare = _QUOTED.sub(lambda quoted: _ESCAPED.sub("", quoted[0]), mbean)
    return "*" in bare or "?" in bare


def labels_of_object(object_name: str, named: tuple[tuple[str, str], ...] = ()) -> Labels:
    """The labels in a JMX ObjectName, `domain:key=value,key="quoted value"`.

    Of two key properties that become one label the first is taken.
    """
    known = {"type": "", "name": "", **dict(named)}
    labels: dict[str, str] = {}
    for key, quoted, plain in _PROPERTY.findall(object_name.partition(":")[2]):
        label = known[key] if key in known else _label(key)
        if label:
            labels.setdefault(label, _ESCAPED.sub(_unescaped, quoted) or plain)
    return tuple(sorted(labels.items()))


def _label(key: str) -> str:
    """A key property as a label's name, which may not begin with a digit."""
    label = _NO_LABEL.sub("_", key)
    return f"_{label}" if label[:1].isdigit() else label


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]
