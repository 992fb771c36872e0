"""Expressions compiled once, though they are read, asked for their labels and linted."""

from __future__ import annotations

from functools import lru_cache

from agent.promql import BadExpression, Expression, compile  # noqa: A004  named as Python names it


@lru_cache(maxsize=4096)
def compiled(text: str) -> Expression:
    """The expression of this text; what is equal is shared, and frozen. Raises BadExpression."""
    return compile(text)


def readable(text: str) -> Expression | None:
    """The same for what an alert's labels completed, or a journal kept: None where it is no expression."""
    try:
        return compiled(text)
    except BadExpression:
        return None
