"""What a Jolokia answers to three reads, two of them of a pattern, and the metrics that are read of it."""

from __future__ import annotations

import json

from agent.sources.jmx_names import JmxMetric

PATTERN, ALONE = "d:type=T,*", "d:type=T"
GAUGE = JmxMetric(PATTERN, "gauge", (("Value", ()), ("Usage/used", (("area", "u"),))), "")
LOWER = JmxMetric(PATTERN, "gauge", (("Other", (("kind", "o"),)),), "", divisor=4)
ONE = JmxMetric(ALONE, "gauge", GAUGE.reads, "")

OF_PATTERN = {
    "status": 200,
    "value": {
        'd:type=T,topic="a\\"b"': {"Value": 1.5, "Usage": {"used": 7, "max": [1, {"x": None}]}},
        "d:type=T": {"Value": {"error_type": "javax.management.MBeanException", ".error": True}},
    },
}
ABSENT = {"status": 404, "error_type": "javax.management.InstanceNotFoundException", "error": "none"}
OF_ONE = {"status": 200, "value": {"Value": "Infinity", "Other": None}}
PIECES = (
    *(bytes([n]) for n in (0, 10, 34, 44, 92, 123, 125, 91, 93, 128, 255)),
    b"null", b"NaN", b"1e999", b"9" * 400, b'"\\ud800"', b'"\\u0000"', b"[" * 2000, b'{"a":' * 2000,
    b"[]", b"{}", b"-", b'"error_type":5,', b'"status":200,', b"200.0", b"true",
)  # fmt: skip


def answer(*entries: object) -> bytes:
    """As it is sent."""
    return json.dumps(entries).encode()
