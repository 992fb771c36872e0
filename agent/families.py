"""The agent's own series on their way to Prometheus: families, and its text format 0.0.4 of them.

prometheus_client would do, too: with the servers that it brings it takes 1 MiB of an agent that has 60.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from agent.model import Labels


class Family(Struct, frozen=True):
    """The series of one name, by their labels. A counter's name ends with `_total`."""

    name: str
    type: str
    about: str
    rows: Iterable[tuple[Labels, float]]


class Collector(Protocol):
    """What has series to tell."""

    def collect(self) -> Iterable[Family]:
        """As they are now."""


def gauge(name: str, about: str, value: float) -> Family:
    """One without labels."""
    return Family(name, "gauge", about, [((), value)])


def counter(name: str, about: str, value: float) -> Family:
    """One without labels."""
    return Family(name, "counter", about, [((), value)])


def written(families: Iterable[Family]) -> bytes:
    """In Prometheus's text format 0.0.4."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    about = family.about.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family.name} {about}\n# TYPE {family.name} {family.type}\n"
    for labels, value in family.rows:
        inner = ",".join(f'{name}="{_quoted(of)}"' for name, of in labels)
        yield f"{family.name}{{{inner}}} {_number(value)}\n" if inner else f"{family.name} {_number(value)}\n"


def _quoted(label: str) -> str:
    return label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value))
