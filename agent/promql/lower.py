"""From promql-parser's tree to our own nodes, once; what cannot be evaluated yet is refused here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import promql_parser as pp
import re2

from agent.promql.aggregate import OPERATIONS
from agent.promql.binary import OPERATORS, fold
from agent.promql.errors import BadExpression
from agent.promql.functions import FUNCTIONS
from agent.promql.labels import NAME
from agent.promql.nodes import (
    Aggregate,
    Binary,
    Call,
    Matcher,
    Matching,
    Negate,
    Node,
    Number,
    Range,
    Selector,
)
from agent.promql.positions import column_of, column_of_call

_MAX_DEPTH = 150  # of the tree: each level costs the evaluator a few Python frames
_MATCH = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_MANY = {"ManyToOne": "left", "OneToMany": "right"}
_QUIET = re2.Options()
_QUIET.log_errors = False  # else RE2 writes to stderr what the exception says already


def lower(ast: Any, text: str, depth: int = 0) -> Node:
    """The node of a parsed expression; `text` is the author's, for the columns of BadExpression."""
    if depth > _MAX_DEPTH:
        raise BadExpression(f"nested deeper than {_MAX_DEPTH} levels")
    lowering = _LOWERINGS.get(type(ast))
    if lowering is None:
        raise _not_yet("a string where a value belongs", text, "")
    return lowering(ast, text, depth + 1)


def _not_yet(what: str, text: str, token: str) -> BadExpression:
    return BadExpression(f"{what} is not supported yet", column_of(text, token))


def _number(ast: Any, _text: str, _depth: int) -> Node:
    return Number(ast.val)


def _parentheses(ast: Any, text: str, depth: int) -> Node:
    return lower(ast.expr, text, depth)


def _unary(ast: Any, text: str, depth: int) -> Node:
    node = lower(ast.expr, text, depth)
    return Number(-node.value) if isinstance(node, Number) else Negate(node)


def _selector(ast: Any, text: str, _depth: int) -> Selector:
    if ast.matchers.or_matchers:
        raise BadExpression("'or' between matchers is not PromQL: write two selectors", column_of(text, "or"))
    if ast.at is not None:
        raise _not_yet("the @ modifier", text, "@")
    matchers = [_matcher(m) for m in ast.matchers.matchers]
    names = [m.value for m in matchers if m.name == NAME and m.op == "="]
    name = ast.name or (names[0] if names else None)
    rest = tuple(m for m in matchers if m.name != NAME)
    if name is None or len(rest) + (ast.name is None) != len(matchers):
        raise _not_yet("a selector without one exact metric name", text, "{")
    return Selector(name, rest, _milliseconds(ast.offset))


def _matcher(matcher: Any) -> Matcher:
    op = _MATCH[str(matcher.op).removeprefix("MatchOp.")]
    if not op.endswith("~"):
        return Matcher(matcher.name, op, matcher.value)
    try:
        pattern = re2.compile(f"(?s:{matcher.value})", _QUIET)
    except re2.error as e:
        raise BadExpression(f"bad pattern {matcher.value!r}: {e}") from None
    return Matcher(matcher.name, op, matcher.value, pattern)


def _milliseconds(duration: timedelta | None) -> int:
    return 0 if duration is None else duration // timedelta(milliseconds=1)


def _range(ast: Any, text: str, depth: int) -> Node:
    return Range(_selector(ast.vector_selector, text, depth), _milliseconds(ast.range))


def _subquery(_ast: Any, text: str, _depth: int) -> Node:
    raise _not_yet("a subquery", text, ":")


def _call(ast: Any, text: str, depth: int) -> Node:
    name = ast.func.name
    if name not in FUNCTIONS:
        raise BadExpression(f"{name}() is not supported yet", column_of_call(text, name))
    return Call(name, tuple(lower(arg, text, depth) for arg in ast.args))


def _aggregate(ast: Any, text: str, depth: int) -> Node:
    op = str(ast.op)
    if op not in OPERATIONS:
        raise BadExpression(f"{op}() is not supported yet", column_of_call(text, op))
    labels = frozenset(ast.modifier.labels) if ast.modifier else frozenset[str]()
    without = ast.modifier is not None and ast.modifier.type == pp.AggModifierType.Without
    return Aggregate(op, lower(ast.expr, text, depth), without, labels)


def _binary(ast: Any, text: str, depth: int) -> Node:
    op = str(ast.op)
    if op not in OPERATORS:
        raise _not_yet(op, text, op)
    left, right = lower(ast.lhs, text, depth), lower(ast.rhs, text, depth)
    as_bool = ast.modifier is not None and ast.modifier.return_bool
    node = Binary(op, left, right, as_bool, _matching(ast.modifier, text))
    return fold(node)


def _matching(modifier: Any, text: str) -> Matching:
    if modifier is None:
        return Matching()
    fill = modifier.fill_values
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise _not_yet("fill", text, "fill")
    many = _MANY.get(str(modifier.card).rpartition(".")[2], "")
    include = tuple(modifier.group_labels or ())
    if modifier.matching is None:
        return Matching(many=many, include=include)
    on = modifier.matching.type == pp.LabelModifierType.Include
    return Matching(on, frozenset(modifier.matching.labels), many, include)


_LOWERINGS: dict[type, Callable[[Any, str, int], Node]] = {
    pp.NumberLiteral: _number,
    pp.ParenExpr: _parentheses,
    pp.UnaryExpr: _unary,
    pp.VectorSelector: _selector,
    pp.MatrixSelector: _range,
    pp.SubqueryExpr: _subquery,
    pp.Call: _call,
    pp.AggregateExpr: _aggregate,
    pp.BinaryExpr: _binary,
}
