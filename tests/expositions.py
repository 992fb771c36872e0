"""Generated expositions: what an exporter might say, in both formats, as text and as what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from agent.model import Labels
from agent.sources.exposition_body import Body, Wanted
from agent.sources.exposition_series import Known
from agent.sources.exposition_text import Reader

Meant = dict[tuple[str, Labels], tuple[str, int | None]]  # series → value as repr, own time in ms

NAMES = ("a", "bb_c", "kafka_x", "kafka_xy", "z9:q")
VALUES = st.floats() | st.integers(-(10**12), 10**12).map(float)
LABEL_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=5) | (
    st.text(st.sampled_from('a ,={}"\\n#\\\n1'), max_size=8)
)
LABELS = st.dictionaries(st.sampled_from(("b", "le", "logDirectory", "_q")), LABEL_VALUES, max_size=3)
TIMES = st.none() | st.integers(-(10**12), 2 * 10**12)


@dataclass(frozen=True)
class Family:
    """One family: its samples have unlike labels. `blank`: what stands between a series and its value."""

    name: str
    type: str
    helped: bool
    samples: tuple[tuple[str, float, int | None], ...]  # labels as text, value, time (ms)
    blank: str = " "

    def text(self, *, openmetrics: bool) -> str:
        """As it is exposed."""
        lines = [f"# HELP {self.name} of # TYPE \\\\ and {{x}} 1"] if self.helped else []
        lines.append(f"# TYPE {self.name if openmetrics else self.sample_name} {self.type}")
        for labels, value, at in self.samples:
            series = self.sample_name + labels
            time = "" if at is None else f" {at // 1000}.{at % 1000:03d}" if openmetrics else f" {at}"
            blank = " " if openmetrics else self.blank
            lines.append(f"{series}{blank}{written(value)}{time}")
            if openmetrics and self.type == "counter":
                lines[-1] += ' # {trace="a b}"} 0.5 1.5'
                lines.append(f"{self.name}_created{labels} 1.5{time}")
        return "".join(f"{line}\n" for line in lines)

    @property
    def sample_name(self) -> str:
        """OpenMetrics's counters have another one than their family."""
        return f"{self.name}_total" if self.type == "counter" else self.name


TRICKY = [
    Family("a", "gauge", True, (('{b="} 1"}', 1.0, None), ('{b="x} 2 3"}', 2.0, 5), ("", 3.0, None))),
    Family("kafka_x", "gauge", True, (('{b="\\\\"}', float("nan"), None), ('{b="} "}', 1e300, None))),
]
PIECES = (
    b"# TYPE ", b"# HELP ", b"# EOF\n", b"{", b"}", b'"', b"\\", b"\n", b" ", b"a", b"=", b",", b"1", b"\t",
    b"NaN", b"_total", b"\r", b"\x00", b"\xff", b"1_0", b"# ", b"} ",
)  # fmt: skip


def written(value: float) -> str:
    """As exporters write it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)


def labels_text(labels: dict[str, str]) -> str:
    """Escaped."""
    pairs = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"'))
        for name, value in labels.items()
    )
    return "{" + ",".join(pairs) + "}" if labels else ""


@st.composite
def families(draw: st.DrawFn, *, types: tuple[str, ...] = ("gauge", "counter", "untyped")) -> list[Family]:
    """Some families with different names."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    return [draw(family(name, types)) for name in names]


@st.composite
def family(draw: st.DrawFn, name: str, types: tuple[str, ...]) -> Family:
    """Its labels are unlike also without the empty ones, which are none."""
    drawn = draw(st.lists(LABELS, max_size=4, unique_by=lambda labels: tuple(sorted(meant(labels).items()))))
    timed = draw(st.booleans())
    samples = tuple((labels_text(each), draw(VALUES), draw(TIMES) if timed else None) for each in drawn)
    blank = draw(st.sampled_from((" ", " ", " ", "  ", "\t")))
    return Family(name, draw(st.sampled_from(types)), draw(st.booleans()), samples, blank)


def meant(labels: dict[str, str]) -> dict[str, str]:
    """Without empty ones."""
    return {name: value for name, value in labels.items() if value}


def body_of(drawn: list[Family], *, openmetrics: bool) -> bytes:
    """The whole of it."""
    text = "".join(each.text(openmetrics=openmetrics) for each in drawn)
    return (text + ("# EOF\n" if openmetrics else "")).encode()


def oracle(body: bytes, *, openmetrics: bool) -> Meant:
    """What prometheus_client reads, `_created` left out."""
    return dict(_oracle(body.decode(), openmetrics=openmetrics))


def _oracle(text: str, *, openmetrics: bool) -> Iterator[tuple[tuple[str, Labels], tuple[str, int | None]]]:
    for each in (read_openmetrics if openmetrics else read_text)(text):
        for sample in each.samples:
            if sample.name.endswith("_created"):
                continue
            labels = tuple(sorted(meant(sample.labels).items()))
            at = None if sample.timestamp is None else round(float(sample.timestamp) * 1000)
            yield (sample.name, labels), (repr(float(sample.value)), at)


def read(
    body: bytes,
    names: frozenset[str] | None = None,
    *,
    known: Known | None = None,
    cuts: tuple[int, ...] = (),
    openmetrics: bool = False,
    whole: bool = False,
) -> tuple[Meant, Body]:
    """What we read of it, fed in pieces that end at `cuts`."""
    known = known or Known()
    reader = Reader(known, Wanted(names), openmetrics=openmetrics, whole=whole)
    ends = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(ends):
        reader.feed(body[start:end])
    found = reader.end()
    pairs = zip(found.rows.tolist(), found.values.tolist(), strict=True)
    return {known.series[row]: (repr(value), found.stamps.get(row)) for row, value in pairs}, found
