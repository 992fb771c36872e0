"""PromQL: compile an expression once, evaluate it on any store of samples."""

from agent.promql.answer import Answer, Line, evaluate, query, query_range
from agent.promql.errors import BadExpression, EvaluationError, TooMuch
from agent.promql.expression import Expression, compile, selector  # noqa: A004  what it does, as in re.compile
from agent.promql.limits import Limits
from agent.promql.needs import Reach, finds, unmatched
from agent.promql.vectors import Store

__all__ = [
    "Answer",
    "BadExpression",
    "EvaluationError",
    "Expression",
    "Limits",
    "Line",
    "Reach",
    "Store",
    "TooMuch",
    "compile",
    "evaluate",
    "finds",
    "query",
    "query_range",
    "selector",
    "unmatched",
]
