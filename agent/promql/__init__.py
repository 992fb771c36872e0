"""PromQL: compile an expression once, evaluate it on any store of samples."""

from agent.promql.errors import BadExpression, EvaluationError
from agent.promql.evaluation import evaluate
from agent.promql.expression import Expression, compile  # noqa: A004  what it does, as in re.compile
from agent.promql.needs import finds, unmatched
from agent.promql.vectors import Store

__all__ = [
    "BadExpression",
    "EvaluationError",
    "Expression",
    "Store",
    "compile",
    "evaluate",
    "finds",
    "unmatched",
]
