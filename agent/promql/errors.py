"""What can go wrong with an expression: when it is compiled, and when it is evaluated."""

from __future__ import annotations


class BadExpression(ValueError):
    """The text is not PromQL, or not the part of it that is supported.

    `column` counts characters of the expression from 1; None where the place was not found.
    """

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class EvaluationError(Exception):
    """The expression cannot be evaluated on these samples, as in Prometheus (such as an ambiguous match)."""


class TooMuch(EvaluationError):
    """The evaluation went beyond its limits on samples or time."""
