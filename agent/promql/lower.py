"""From promql-parser's tree to our own nodes, once; what is not supported is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import promql_parser as pp

from agent.promql.aggregate import OPERATIONS
from agent.promql.binary import OPERATORS, fold
from agent.promql.errors import BadExpression
from agent.promql.functions import FUNCTIONS
from agent.promql.labels import NAME
from agent.promql.nodes import (
    Aggregate,
    At,
    Binary,
    Call,
    Matcher,
    Matching,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    String,
    Subquery,
)
from agent.promql.positions import Places, column_of, column_of_call
from agent.promql.relabel import pattern

_MAX_DEPTH = 150  # of the tree: each level costs the evaluator a few Python frames
_MATCH = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_MANY = {"ManyToOne": "left", "OneToMany": "right"}
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LOWERINGS: Mapping[type, str] = {  # which method lowers what
    pp.NumberLiteral: "_number",
    pp.StringLiteral: "_string",
    pp.ParenExpr: "_parentheses",
    pp.UnaryExpr: "_unary",
    pp.VectorSelector: "_selector",
    pp.MatrixSelector: "_range",
    pp.SubqueryExpr: "_subquery",
    pp.Call: "_call",
    pp.AggregateExpr: "_aggregate",
    pp.BinaryExpr: "_binary",
}
_HISTOGRAMS = "works on native histograms, which are not supported"


class Lowering:
    """Lowers the tree of one text. `durations`: what literals mean that stand for arithmetic, ms by ms.

    `default_step_ms`: of subqueries that name none.
    """

    def __init__(self, text: str, durations: Mapping[int, int], default_step_ms: int) -> None:
        self._text = text
        self._durations = durations
        self._step_ms = default_step_ms
        self._places = Places(text)
        self._depth = 0

    def lower(self, ast: Any) -> Node:
        """The node of a parsed expression. Raises BadExpression with the column in the author's text."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise BadExpression(f"nested deeper than {_MAX_DEPTH} levels")
        node: Node = getattr(self, _LOWERINGS[type(ast)])(ast)
        self._depth -= 1
        return node

    def _number(self, ast: Any) -> Node:
        return Number(ast.val)

    def _string(self, ast: Any) -> Node:
        return String(ast.val)

    def _parentheses(self, ast: Any) -> Node:
        return self.lower(ast.expr)

    def _unary(self, ast: Any) -> Node:
        node = self.lower(ast.expr)
        return Number(-node.value) if isinstance(node, Number) else Negate(node)

    def _selector(self, ast: Any) -> Selector:
        if ast.matchers.or_matchers:
            problem = "'or' between matchers is not PromQL: write two selectors"
            raise BadExpression(problem, column_of(self._text, "or"))
        matchers = [_matcher(m) for m in ast.matchers.matchers]
        names = [m.value for m in matchers if m.name == NAME and m.op == "=" and m.value]
        name = ast.name or (names[0] if names else None)
        rest = [m for m in matchers if m.name != NAME or m.op != "=" or m.value != name]
        offset, at = self._milliseconds(ast.offset), self._at(ast.at)
        return Selector(name, tuple(rest), offset, at, self._places.selector())

    def _at(self, modifier: Any) -> At | None:
        if modifier is None:
            return None
        kind = str(modifier.type).rpartition(".")[2]
        if kind != "At":
            return f"{kind.lower()}()"
        moment: datetime = modifier.at
        return round((moment - _EPOCH) / _MILLISECOND)  # it comes by way of a float of seconds

    def _range(self, ast: Any) -> Node:
        return Range(self._selector(ast.vector_selector), self._milliseconds(ast.range))

    def _subquery(self, ast: Any) -> Node:
        inner = self.lower(ast.expr)
        step = self._milliseconds(ast.step) or self._step_ms
        window, offset = self._milliseconds(ast.range), self._milliseconds(ast.offset)
        return Subquery(inner, window, step, offset, self._at(ast.at))

    def _milliseconds(self, duration: timedelta | None) -> int:
        literal = 0 if duration is None else duration // _MILLISECOND
        return self._durations.get(literal, literal)

    def _call(self, ast: Any) -> Node:
        name = ast.func.name
        if name not in FUNCTIONS:
            native = name.startswith("histogram_") and name != "histogram_quantiles"
            why = _HISTOGRAMS if native else "is experimental in Prometheus and not supported"
            raise BadExpression(f"{name}() {why}", column_of_call(self._text, name))
        places = self._places.call(name)
        args = tuple(self.lower(arg) for arg in ast.args)
        self._check_texts(name, args)
        return Call(name, args, places)

    def _check_texts(self, name: str, args: tuple[Node, ...]) -> None:
        """Patterns and label names are known now: better refused here than at three in the morning."""
        texts = [arg.value for arg in args if isinstance(arg, String)]
        column = column_of_call(self._text, name)
        if name == "label_replace":
            try:
                pattern(texts[3])
            except BadExpression as e:
                raise BadExpression(f"label_replace(): {e.message}", column) from None
        if name in ("label_replace", "label_join") and not texts[0]:
            raise BadExpression(f"invalid destination label name in {name}(): {texts[0]!r}", column)

    def _aggregate(self, ast: Any) -> Node:
        op = str(ast.op)
        if op not in OPERATIONS:
            problem = f"{op}() is experimental in Prometheus and not supported"
            raise BadExpression(problem, column_of_call(self._text, op))
        places = self._places.call(op)
        param = None if ast.param is None else self.lower(ast.param)
        labels = frozenset(ast.modifier.labels) if ast.modifier else frozenset[str]()
        left_out = ast.modifier is not None and ast.modifier.type == pp.AggModifierType.Without
        return Aggregate(op, self.lower(ast.expr), left_out, labels, param, places)

    def _binary(self, ast: Any) -> Node:
        op = str(ast.op)
        if op not in OPERATORS:
            raise BadExpression(f"{op} is not supported", column_of(self._text, op))
        left, right = self.lower(ast.lhs), self.lower(ast.rhs)
        as_bool = ast.modifier is not None and ast.modifier.return_bool
        return fold(Binary(op, left, right, as_bool, _matching(ast.modifier)))


def _matcher(matcher: Any) -> Matcher:
    op = _MATCH[str(matcher.op).removeprefix("MatchOp.")]
    if not op.endswith("~"):
        return Matcher(matcher.name, op, matcher.value)
    return Matcher(matcher.name, op, matcher.value, pattern(matcher.value))


def _matching(modifier: Any) -> Matching:
    if modifier is None:
        return Matching()
    values = modifier.fill_values
    fill = (None, None) if values is None else (values.lhs, values.rhs)
    many = _MANY.get(str(modifier.card).rpartition(".")[2], "")
    include = tuple(modifier.group_labels or ())
    if modifier.matching is None:
        return Matching(many=many, include=include, fill=fill)
    on = modifier.matching.type == pp.LabelModifierType.Include
    return Matching(on, frozenset(modifier.matching.labels), many, include, fill)
