"""The lines behind log series: the last ones of each, with the stack traces that follow them."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from agent.model import Labels
from agent.sources.log_counters import Hit

_LINES = 5  # of each series
_BYTES = 4 << 10  # of one line and its trace
_ALL_BYTES = 1 << 20  # of all together: the series that was quiet longest is forgotten first
# What belongs to the line above it: indented, or an exception by its class's name, as Java prints it.
_TRACE = re.compile(
    rb"(?:(?:[ \t]|Caused by: |Suppressed: |\.\.\. |(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable|Fault)\b)"
    rb"[^\n]*\n)*"
)


@dataclass(slots=True)
class Shown:
    """A line and its trace, as text; `path` is the file's."""

    path: str
    text: bytes
    cut: bool = False  # there was more


class Evidence:
    """The last lines of each series, of bounded size. Only the thread that reads the logs adds to it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Labels], deque[Shown]] = OrderedDict()
        self._open: dict[str, Shown] = {}  # by path: what may go on in the next chunk
        self._bytes = 0

    def of(self, pattern: str, labels: Labels = ()) -> tuple[Shown, ...]:
        """Of the pattern with this name the lines with at least these labels, each series oldest first."""
        wanted = set(labels)
        return tuple(
            shown
            for (name, its), lines in tuple(self._kept.items())
            if name == pattern and wanted <= set(its)
            for shown in tuple(lines)
        )

    def keep(self, hit: Hit, chunk: bytes, span: tuple[int, int], path: str) -> None:
        """A line of the chunk, and what follows it there."""
        start, end = span
        trace = _TRACE.match(chunk, min(end + 1, len(chunk)), min(start + _BYTES, len(chunk)))
        until = max(end, trace.end() - 1) if trace else end
        shown = Shown(path, chunk[start : min(until, start + _BYTES)], until - start > _BYTES)
        key = (hit.pattern.name, hit.labels)
        lines = self._kept.setdefault(key, deque())
        self._kept.move_to_end(key)
        lines.append(shown)
        self._bytes += len(shown.text)
        if len(lines) > _LINES:
            self._bytes -= len(lines.popleft().text)
        self._forget()
        if until + 1 >= len(chunk):
            self._open[path] = shown

    def go_on(self, chunk: bytes, path: str) -> None:
        """What the next chunk of a file begins with may still be the trace of the last one's end."""
        shown = self._open.pop(path, None)
        trace = _TRACE.match(chunk, 0, _BYTES)
        if shown is None or trace is None or not trace.end():
            return
        more = chunk[: trace.end() - 1][: max(0, _BYTES - len(shown.text) - 1)]
        shown.cut = len(more) < trace.end() - 1
        if more:
            shown.text += b"\n" + more
            self._bytes += 1 + len(more)
            self._forget()

    def _forget(self) -> None:
        while self._bytes > _ALL_BYTES:
            _, lines = self._kept.popitem(last=False)
            self._bytes -= sum(len(shown.text) for shown in lines)


def as_text(shown: Sequence[Shown]) -> tuple[str, ...]:
    """For people: bytes that are no text are replaced."""
    return tuple(each.text.decode(errors="replace") + (" …" if each.cut else "") for each in shown)
