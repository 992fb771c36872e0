"""PromQL inside rule files: checked as it is read, with the place of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.model import Place
from agent.promql import BadExpression, Expression
from agent.promql.functions import FUNCTIONS
from agent.promql.labels import NAME
from agent.rulebook.compiled import compiled, readable
from agent.rulebook.filling import LABEL, misplaced, placed
from agent.rulebook.labels import MayHave
from agent.rulebook.slips import slip
from agent.yaml_marks import Node, Scalar, Wrong, closest, shape_of, shaped
from agent.yaml_marks.readers import text

_WORD = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*|[0-9.]+[a-z]*")
_CALL = re.compile(
    r"(?:function|call to) (?:function )?(?:with name )?'?(\w+)\b"
)  # as the parser names the one that it complains of
_PATTERN = re.compile(r"illegal regex for (.*)", re.DOTALL)
_NO_PROMQL = "invalid promql query"  # all that the parser says of most mistakes


@shaped({"type": ["string", "number", "boolean"], "pattern": "\\S", "description": "PromQL"})
def promql(node: Node) -> str:
    """An expression that can be evaluated; `1` needs no quotes, as in Prometheus."""
    number = isinstance(node, Scalar) and isinstance(node.value, int | float)
    written = node.text if isinstance(node, Scalar) and number else text(node)
    _compiled(node, written)
    return written


@shaped(shape_of(promql))
def promql_of_rule(node: Node) -> str:
    """One that a rule may have: its result has one value a series."""
    written = promql(node)
    _check_kind(compiled(written))
    return written


def promql_with_labels(may_have: MayHave) -> Callable[[Node], str]:
    """An expression in which `$label` may stand in a matcher's value, to be filled in from the alert."""

    @shaped(
        {"type": "string", "pattern": "\\S", "description": "PromQL; `$label` may stand in a matcher's text"}
    )
    def read(node: Node) -> str:
        written = text(node)
        if (bare := misplaced(written)) is not None:
            hint = f'write it like {{{bare[1]}="{bare[0]}"}}'
            place = _place(node, bare.start())
            raise Wrong(f"{bare[0]} stands outside a matcher's quotes", hint, place, len(bare[0]))
        for match in placed(written):
            check_label(match[1], may_have, _place(node, match.start()))
        filled = _compiled(node, LABEL.sub(r"x\1", written))  # as long as before: columns stay right
        _check_kind(filled)
        for match in placed(written) if NAME in written else ():
            _check_chooses_nothing(node, filled, match)
        return written

    return read


def _check_chooses_nothing(node: Node, filled: Expression, label: re.Match[str]) -> None:
    """Wrong where the alert's label, whose text begins with x in `filled`, has a say in which metric is read;
    and where that is a pattern with some texts only, as behind a backslash."""
    place, width = _place(node, label.start()), len(label[0])
    other = readable(f"{filled.text[: label.start()]}y{filled.text[label.start() + 1 :]}")
    if other is None:
        raise Wrong(f"what stands before {label[0]} takes its first letter", None, place, width)
    if _chosen(other) != _chosen(filled):
        hint = "write the name: what no rule names is not read"
        raise Wrong(f"{label[0]} chooses which metric is read", hint, place, width)


def _chosen(expression: Expression) -> list[object]:
    """By what it chooses the names of the metrics that it reads."""
    selectors = [each.selector for each in expression.selectors]
    return [(s.name, [m for m in s.matchers if m.name == NAME]) for s in selectors]


def check_label(name: str, may_have: MayHave, place: Place | None) -> None:
    """Wrong where the alert can never have this label."""
    if may_have is not None and name not in may_have:
        hint = closest(name, may_have) or f"its labels: {', '.join(sorted(may_have))}"
        raise Wrong(f"the alert never has a label {name!r}", hint, place, len(name) + 1)


def _compiled(node: Node, expression: str) -> Expression:
    try:
        return compiled(expression)
    except BadExpression as e:
        raise _explained(node, expression, e) from None


def _check_kind(expression: Expression) -> None:
    if expression.kind not in ("vector", "scalar"):
        what = "a range" if expression.kind == "matrix" else "a text"
        raise Wrong(f"{what} is no result that a rule can have", "put it into a function, as rate(x[5m])")


def _explained(node: Node, expression: str, error: BadExpression) -> Wrong:
    """With the place: the engine's own, the function's that it names, or that of the first slip."""
    call, pattern = _CALL.search(error.message), _PATTERN.fullmatch(error.message)
    at = call and re.search(rf"\b{re.escape(call[1])}\s*\(", expression)
    if pattern and (quoted := re.search(rf"[\"'`]{re.escape(pattern[1])}[\"'`]", expression)):
        return Wrong(error.message, None, _place(node, quoted.start()), len(quoted[0]))
    if error.column is not None or at:
        index = error.column - 1 if error.column is not None else at.start() if at else 0
        word = _WORD.match(expression, index)
        hint = closest(call[1], FUNCTIONS) if call and call[1] not in FUNCTIONS else None
        return Wrong(error.message, hint, _place(node, index), len(word[0]) if word else 1)
    found = slip(expression)
    if found is None:
        return Wrong(error.message)
    message = f"no PromQL: {found.message}" if error.message == _NO_PROMQL else error.message
    return Wrong(message, found.hint, _place(node, found.index), found.width)


def _place(node: Node, index: int) -> Place:
    return node.place_of(index) if isinstance(node, Scalar) else node.place
