"""Compiles the text of an expression, once, and says what it needs: names, window, history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as pp

from agent.promql import positions
from agent.promql.binary import COMPARISONS
from agent.promql.errors import BadExpression
from agent.promql.functions import FUNCTIONS
from agent.promql.lower import lower
from agent.promql.nodes import Binary, Call, Node, Number, Range, Selector, children, walk

_MAX_LENGTH = 10_000
_MAX_DEPTH = 100  # of brackets: the parser recurses on the machine's stack


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; all durations are milliseconds.

    `names`: the metrics that it reads. `selectors`: where, each with its own window and offset.
    `window_ms`: how far back it reads, lookback and offset included; a store must keep that much.
    `history_ms`: how long the store must have been filled before a result can be trusted; 0 where nothing
    but the newest samples matter. `threshold`: the number that the result is compared with, else None.
    """

    text: str
    node: Node
    names: frozenset[str]
    selectors: tuple[Selector | Range, ...]
    window_ms: int
    history_ms: int
    threshold: float | None


def compile(text: str) -> Expression:  # noqa: A001  what it does, as in re.compile
    """Parse and check. Raises BadExpression, with the column where it can be found."""
    if len(text) > _MAX_LENGTH:
        raise BadExpression(f"longer than {_MAX_LENGTH} characters")
    if positions.depth(text) > _MAX_DEPTH:
        raise BadExpression(f"brackets nest deeper than {_MAX_DEPTH} levels")
    try:
        ast = pp.parse(text)
    except ValueError as e:
        raise _explained(text, str(e)) from None
    node = lower(ast, text)
    if isinstance(node, Range):
        raise BadExpression(
            f"the bare range {node} is not supported yet: put it into a function such as rate()"
        )
    selectors = tuple(n for n in walk(node) if isinstance(n, Selector | Range))
    return Expression(
        text=text,
        node=node,
        names=frozenset(_name(s) for s in selectors),
        selectors=selectors,
        window_ms=max([0, *(s.window_ms + s.offset_ms for s in selectors)]),
        history_ms=max(_histories(node), default=0),
        threshold=_threshold(node),
    )


def _explained(text: str, reason: str) -> BadExpression:
    """The parser's words where they are good, our own and a column where we can find the place."""
    found = positions.unbalanced(text)
    if found:
        return BadExpression(*found)
    unknown = re.fullmatch(r"unknown function with name '(.*)'", reason)
    if unknown:
        return BadExpression(
            f"there is no function {unknown[1]}()", positions.column_of_call(text, unknown[1])
        )
    return BadExpression(reason)


def _name(node: Selector | Range) -> str:
    return node.selector.name if isinstance(node, Range) else node.name


def _histories(node: Node, *, whole: bool = False) -> Iterator[int]:
    """What each selector needs: its window where a function around it needs all of that, else its offset."""
    if isinstance(node, Selector | Range):
        yield max(0, node.offset_ms + (node.window_ms if whole else 0))
    inside = isinstance(node, Call) and FUNCTIONS[node.function].whole
    for child in children(node):
        yield from _histories(child, whole=inside or (whole and not isinstance(node, Call)))


def _threshold(node: Node) -> float | None:
    match node:
        case Binary(op="and" | "unless"):
            return _threshold(node.left)  # the left side's value is the result's
        case Binary(op=op, as_bool=False) if op in COMPARISONS:
            constants = [side.value for side in (node.right, node.left) if isinstance(side, Number)]
            return constants[0] if constants else None
        case _:
            return None
