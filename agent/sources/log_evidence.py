"""The lines behind log series: the last ones of each, with the stack traces that follow them."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from threading import Lock
from typing import Any

import msgspec

from agent.model import Labels
from agent.sources.log_hits import Columns, Groups
from agent.sources.log_lines import Span

_LINES = 5  # of each series
_BYTES = 4 << 10  # of one line and its trace
_ALL_BYTES = 1 << 20  # of all together: the series that was quiet longest is forgotten first
# What belongs to the line above it: indented, or an exception by its class's name, as Java prints it.
_TRACE = re.compile(
    rb"(?:(?:[ \t]|Caused by: |Suppressed: |\.\.\. |(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable|Fault)\b)"
    rb"[^\n]*(?:\n|\Z))*"
)
_RECORD = b"\n["  # as Kafka's records begin, and no line of a trace

Kept = tuple[str, str | None, Labels]  # a series: the pattern's metrics of lines and of numbers, and labels


class Shown(msgspec.Struct):
    """A line and what follows it, of which its trace is shown; `path` is the file's."""

    path: str
    text: bytes
    cut: bool = False  # there was more
    kept: bool = True  # it is not forgotten yet


class Evidence:
    """The last lines of each series, of bounded size. One thread adds to it, another may ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Kept, deque[Shown]] = OrderedDict()
        self._open: dict[str, list[Shown]] = {}  # by path: what may go on in the next chunk
        self._bytes = 0

    def of(self, metrics: Collection[str]) -> list[dict[str, Any]]:
        """{metric, labels, file, text: [line]} of the patterns that have one of these metrics.

        The series that was quiet longest comes first, each oldest line first; what is no UTF-8 is replaced.
        """
        with self._lock:
            return [
                {"metric": metric, "labels": dict(labels), "file": shown.path, "text": _text(shown)}
                for (metric, value, labels), lines in self._kept.items()
                if metric in metrics or value in metrics
                for shown in lines
            ]

    def keep(self, columns: Columns, lines: Iterable[tuple[Groups, Span]], chunk: bytes, path: str) -> None:
        """Lines of the chunk, in their order, with the pattern's groups, and what follows each there."""
        metric, value_metric = columns.metrics
        labels_of, follows = columns.labels, chunk.startswith
        with self._lock:
            for groups, (start, end) in lines:
                if follows(_RECORD, end) and end - start < _BYTES:  # as mostly: the next record does
                    shown = Shown(path, chunk[start:end])
                else:
                    shown = self._with_trace(start, end, chunk, path)
                kept = self._of_series((metric, value_metric, labels_of(groups)))
                if len(kept) == _LINES:
                    self._drop(kept.popleft())
                kept.append(shown)
                self._bytes += len(shown.text)
            self._forget()

    def _of_series(self, series: Kept) -> deque[Shown]:
        lines = self._kept.get(series)
        if lines is None:
            lines = self._kept[series] = deque()
        else:
            self._kept.move_to_end(series)
        return lines

    def _with_trace(self, start: int, end: int, chunk: bytes, path: str) -> Shown:
        limit = start + _BYTES
        until = chunk.find(_RECORD, end, limit)
        if until >= 0:
            return Shown(path, chunk[start:until])
        # No other record begins near: what belongs to this one has to be looked at.
        trace = _TRACE.match(chunk, end + 1, max(limit, end + 1))
        until = max(end, trace.end() - 1) if trace else end
        more = end > limit or (trace is not None and trace.end() == limit < len(chunk))
        shown = Shown(path, chunk[start : min(until, limit)], more)
        if until + 1 >= len(chunk):
            self._open.setdefault(path, []).append(shown)
        return shown

    def go_on(self, chunk: bytes, path: str) -> None:
        """What the next chunk of a file begins with may still be the trace of the last one's end."""
        opened = self._open.pop(path, [])
        trace = _TRACE.match(chunk, 0, _BYTES) if opened else None
        if trace is None or not trace.end():
            return
        more = chunk[: trace.end()].removesuffix(b"\n")
        with self._lock:
            for shown in opened:
                self._add(shown, more)
            self._forget()
        if trace.end() == len(chunk):
            self._open[path] = [shown for shown in opened if shown.kept and not shown.cut]

    def _add(self, shown: Shown, more: bytes) -> None:
        kept = more[: max(0, _BYTES - len(shown.text) - 1)]
        shown.cut = shown.cut or len(kept) < len(more)
        if kept and shown.kept:
            shown.text += b"\n" + kept
            self._bytes += 1 + len(kept)

    def _forget(self) -> None:
        while self._bytes > _ALL_BYTES and self._kept:
            for shown in self._kept.popitem(last=False)[1]:
                self._drop(shown)

    def _drop(self, shown: Shown) -> None:
        """Its trace may still go on in its file's next chunk, and is nobody's then."""
        shown.kept = False
        self._bytes -= len(shown.text)


def _text(shown: Shown) -> list[str]:
    line, _, rest = shown.text.partition(b"\n")
    trace = _TRACE.match(rest)
    whole = line + b"\n" + rest[: trace.end()].removesuffix(b"\n") if trace and trace.end() else line
    lines = whole.decode(errors="replace").split("\n")
    return [*(line.rstrip("\r").expandtabs(4) for line in lines), *(["…"] if shown.cut else [])]
