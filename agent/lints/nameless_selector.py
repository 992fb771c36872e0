"""nameless-selector: a selector without one exact metric name."""

from __future__ import annotations

from collections.abc import Iterator

from agent.lints.case import Case, Finding
from agent.lints.shapes import selectors


def nameless_selector(case: Case) -> Iterator[Finding]:
    """Sources read only what rules name, so such a selector sees no more than what other rules read."""
    for each in case.written:
        for selector in selectors(each.node):
            if selector.name is None:
                message = f"{selector} names no metric: it sees only what other rules happen to read"
                yield each.finding(message, "write the metrics' names, joined by `or`", at=selector)
