"""How long the samples of each metric are kept: as long as a rule reads back, and little more."""

from __future__ import annotations

from collections.abc import Iterable

from agent.promql import Expression
from agent.promql.nodes import LOOKBACK_MS
from agent.rulebook.compiled import compiled
from agent.rulebook.load import Rulebook

_SLACK_MS = 60_000  # beyond what rules read: they are judged late where the agent is busy
LEAST_MS = LOOKBACK_MS + _SLACK_MS
FOR_EVER = 1 << 62  # a moment that is named by `@`: as long as there is room


def windows(book: Rulebook) -> dict[str, int]:
    """By metric that a rule or remedy names, or a recording rule writes (ms).

    Selectors by pattern may read any metric: all are kept for them.
    """
    found: dict[str | None, int] = {rule.name: LOOKBACK_MS for rule in book.records}
    for rule in book.rules:
        _add(found, compiled(rule.expr), rule.offset_ms)
    for text in book.of_remedies():
        _add(found, compiled(text), 0)
    return _kept(found)


def windows_of(texts: Iterable[str]) -> dict[str, int]:
    """The same by what these expressions name."""
    found: dict[str | None, int] = {}
    for text in texts:
        _add(found, compiled(text), 0)
    return _kept(found)


def _kept(found: dict[str | None, int]) -> dict[str, int]:
    least = found.pop(None, LOOKBACK_MS)
    return {name: max(least, back) + _SLACK_MS for name, back in found.items() if name is not None}


def _add(found: dict[str | None, int], expression: Expression, offset_ms: int) -> None:
    for reach in expression.selectors:
        back = reach.window_ms + reach.offset_ms + offset_ms
        if isinstance(reach.selector.at, int):
            back = FOR_EVER
        name = reach.selector.name
        found[name] = max(found.get(name, LOOKBACK_MS), back)
