"""short-range: a window with too few samples in it for the function around it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.shapes import ranges
from agent.quantities import show_duration

_OF_TWO = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear"})
_ENOUGH = 4  # readings: one may fail, and two remain wherever the window begins


def short_range(case: Case) -> Iterator[Finding]:
    """rate(), increase() and the like over fewer than four readings, others over less than one."""
    interval = case.facts.interval_ms
    for each in case.written:
        for call, at in ranges(each.node):
            least = interval * (_ENOUGH if call.function in _OF_TWO else 1)
            if at.window_ms < least:
                window, every = show_duration(at.window_ms), show_duration(interval)
                message = f"{call.function}() over {window} is often empty: readings come every {every}"
                yield each.finding(message, f"at least [{show_duration(least)}]", at=at.selector)
