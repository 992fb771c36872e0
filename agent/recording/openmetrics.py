"""Lines of OpenMetrics with timestamps: one series, one sample; and how a series' end is written there.

OpenMetrics cannot hold Prometheus's stale marker (a NaN is a value). So the end of a series is a sample of
`ottla_recording_series_end` whose label `series` holds the series as text: promtool reads it as one metric
more, a backtest as the end. Times are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.model import Labels
from agent.promql.labels import NAME
from agent.promql.numbers import NO_NUMBERS
from agent.recording.recorded import split_name

END_OF_FILE = b"# EOF"
SERIES_END = "ottla_recording_series_end"

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'\s*(?:([a-zA-Z_][a-zA-Z0-9_]*)|"((?:[^"\\]|\\.)*)")\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
_QUOTED_NAME = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
_ESCAPES: Mapping[str, str] = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def series_text(name: str, labels: Labels) -> str:
    """A series as it begins its lines. A name that is no plain one is quoted, as Prometheus 3 writes it."""
    inside = ",".join(f'{_quoted_unless_plain(k)}="{_escaped(v)}"' for k, v in labels)
    if _NAME.fullmatch(name):
        return f"{name}{{{inside}}}" if inside else name
    return f'{{"{_escaped(name)}",{inside}}}' if inside else f'{{"{_escaped(name)}"}}'


def parse_series(text: str) -> tuple[str, Labels]:
    """The name and labels of a series as text. Raises ValueError with what is wrong."""
    name, brace, inside = text.partition("{")
    name = name.strip()
    if not brace:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is no metric name")
        return name, ()
    if not inside.rstrip().endswith("}"):
        raise ValueError(f"the labels have no end: {text[:80]!r}")
    labels = _labels(inside.rstrip()[:-1])
    if name:
        labels[NAME] = name
    found, rest = split_name(labels)
    if not found:
        raise ValueError(f"a series without a metric name: {text[:80]!r}")
    return found, rest


def sample_line(series: str, at: int, value: float) -> str:
    """One line; `at` is ms."""
    return f"{series} {_number(value)} {at // 1000}.{at % 1000:03d}\n"


def end_line(series: str, at: int) -> str:
    """The line that says that the series has ended at `at`."""
    return sample_line(series_text(SERIES_END, (("series", series),)), at, 1)


def _labels(text: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    at = 0
    while text[at:].strip():
        if found := _LABEL.match(text, at):
            labels[found[1] or _unescaped(found[2])] = _unescaped(found[3])
        elif found := _QUOTED_NAME.match(text, at):
            labels[NAME] = _unescaped(found[1])
        else:
            raise ValueError(f'no label at {text[at : at + 40]!r}: write it like path="/d1"')
        at = found.end()
    return labels


def _number(value: float) -> str:
    text = repr(float(value))
    return NO_NUMBERS.get(text, text)


def _quoted_unless_plain(name: str) -> str:
    return name if _NAME.fullmatch(name) and ":" not in name else f'"{_escaped(name)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\[\\\"n]", lambda found: _ESCAPES[found[0]], text) if "\\" in text else text
