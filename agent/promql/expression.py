"""Compiles the text of an expression, once, and says what it needs: names, window, history."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Set
from typing import Any

import promql_parser as pp
from msgspec import Struct

from agent.promql import durations, positions
from agent.promql.binary import COMPARISONS
from agent.promql.duration_arithmetic import seconds_of
from agent.promql.errors import BadExpression
from agent.promql.labels import NAME
from agent.promql.lower import Lowering
from agent.promql.needs import Reach, histories, reaches, steady_ms
from agent.promql.nodes import SUBQUERY_STEP_MS, Binary, Matcher, Node, Number, Selector, kind

_MAX_LENGTH = 10_000
_MAX_DEPTH = 100  # of brackets: the parser recurses on the machine's stack
_EXPERIMENTAL = "is experimental in Prometheus and not supported"
_NOT_STABLE = {  # what the parser does not know, or not all of
    "anchored": _EXPERIMENTAL,
    "smoothed": _EXPERIMENTAL,
    "info": f"() {_EXPERIMENTAL}",
    "holt_winters": "is called double_exponential_smoothing since Prometheus 3.0",
}
_LATEST_S = 1e10  # the year 2286
_BYTES = re.compile(r"(?:^|[^\\])(?:\\\\)*(\\(?:x[89a-fA-F][0-9a-fA-F]|[23][0-7]{2}))")


class Expression(Struct, frozen=True):
    """A compiled expression; all durations are milliseconds. `kind`: scalar, vector, matrix or string.

    `names`: the metrics that it reads; `nameless`: it reads others too, chosen by patterns or labels.
    `selectors`: where it reads, each with its own window and offset.
    `window_ms`: how far back it reads, lookback and offset included; a store must keep that much.
    `history_ms`: how long the store must have been filled before a result can be trusted; 0 where nothing
    but the newest samples matter; `histories`: the same for each metric (None: those chosen by patterns).
    `threshold`: the number that the result is compared with, else None.
    `steady_ms`: where for so long each sample has said what the one before it said, one more that does leaves
    the result as it was, for as long as none gets older than the lookback; infinite where nothing says so.
    """

    text: str
    node: Node
    kind: str
    names: frozenset[str]
    nameless: bool
    selectors: tuple[Reach, ...]
    window_ms: int
    history_ms: int
    histories: Mapping[str | None, int]
    threshold: float | None
    steady_ms: float

    def reads(self, names: Set[str]) -> frozenset[str]:
        """Those of these metrics that it may read: one that chooses series by patterns, what they match."""
        found = self.names.intersection(names)
        if self.nameless:
            chosen = [each.selector.matchers for each in self.selectors if each.selector.name is None]
            found |= {name for name in names if any(_take(matchers, name) for matchers in chosen)}
        return found


def compile(  # noqa: A001  as in re.compile
    text: str, default_step_ms: int = SUBQUERY_STEP_MS, *, step_ms: int = 0, range_ms: int = 0
) -> Expression:
    """Parse and check. Raises BadExpression, with the column where it can be found.

    `step_ms`, `range_ms`: what `step()` and `range()` are in durations: a range query's own, which must be
    compiled anew for others; 0 at one instant, and so in a rule.
    """
    node = _node(text, default_step_ms, step_ms, range_ms)
    selectors = tuple(reaches(node))
    names = [each.selector.name for each in selectors]
    needed = _needed(node)
    return Expression(
        text=text,
        node=node,
        kind=kind(node),
        names=frozenset(name for name in names if name is not None),
        nameless=None in names,
        selectors=selectors,
        window_ms=max([0, *(each.window_ms + each.offset_ms for each in selectors)]),
        history_ms=max(needed.values(), default=0),
        histories=needed,
        threshold=_threshold(node),
        steady_ms=steady_ms(node),
    )


def _take(matchers: tuple[Matcher, ...], name: str) -> bool:
    return all(each.matches(name) for each in matchers if each.name == NAME)


def _needed(node: Node) -> dict[str | None, int]:
    needed: dict[str | None, int] = {}
    for name, history_ms in histories(node):
        needed[name] = max(history_ms, needed.get(name, 0))
    return needed


def selector(text: str) -> Selector:
    """One instant selector, as `match[]` of the HTTP API. Raises BadExpression for anything else."""
    node = _node(text)
    if not isinstance(node, Selector) or node.offset_ms or node.at is not None:
        raise BadExpression("not a series selector: write a metric's name, labels in braces, or both")
    return node


def _node(text: str, default_step_ms: int = SUBQUERY_STEP_MS, step_ms: int = 0, range_ms: int = 0) -> Node:
    if len(text) > _MAX_LENGTH:
        raise BadExpression(f"longer than {_MAX_LENGTH} characters")
    if positions.depth(text) > _MAX_DEPTH:
        raise BadExpression(f"brackets nest deeper than {_MAX_DEPTH} levels")
    _refuse_bytes(text)
    _refuse_times(text)
    try:
        simple, meant = durations.worked_out(text, step_ms, range_ms)
    except BadExpression as e:
        raise _unbalanced(text) or e from None
    return Lowering(text, meant, default_step_ms).lower(_parsed(simple))


def _parsed(text: str) -> Any:
    try:
        return pp.parse(text)
    except ValueError as e:
        raise _unbalanced(text) or _explained(text, str(e)) from None
    except BaseException as e:  # the parser's panics are no Exception, and their class has no module
        if type(e).__name__ != "PanicException":
            raise
        raise BadExpression(f"the parser gave up: {e}") from None


def _refuse_bytes(text: str) -> None:
    """Go's strings are bytes, the parser's are characters: one would be taken for the other."""
    for sort, word, column in positions.tokens(text):
        found = _BYTES.search(word) if sort == "string" and word[0] != "`" else None
        if found:
            problem = f"{found[1]} is half a character: write the character itself, or its \\u escape"
            raise BadExpression(problem, column + found.start(1))


def _refuse_times(text: str) -> None:
    """Times that no calendar holds: the parser panics on them."""
    words = positions.tokens(text)
    for index, (_, word, column) in enumerate(words):
        if word != "@":
            continue
        if [w for _, w, _ in words[index + 1 : index + 2]] == ["-"]:
            raise BadExpression("a time before 1970 is not supported", column)
        time = next((w for _, w, _ in words[index + 1 :] if w not in "+-"), "")
        if time.lower() in ("inf", "nan") or _seconds(time) > _LATEST_S:
            raise BadExpression(f"{time} is beyond all time: write seconds", column)


def _seconds(text: str) -> float:
    """What a number is; nothing where it is none, which the parser tells."""
    try:
        return seconds_of(text)
    except OverflowError:
        return math.inf
    except ValueError:
        return 0


def _unbalanced(text: str) -> BadExpression | None:
    found = positions.unbalanced(text)
    return BadExpression(*found) if found else None


def _explained(text: str, reason: str) -> BadExpression:
    """The parser's words where they are good, our own and a column where we can find the place."""
    for _, word, column in positions.tokens(text):
        if word in _NOT_STABLE:
            return BadExpression(f"{word} {_NOT_STABLE[word]}", column)
    unknown = re.fullmatch(r"unknown function with name '(.*)'", reason)
    if unknown:
        return BadExpression(
            f"there is no function {unknown[1]}()", positions.column_of_call(text, unknown[1])
        )
    return BadExpression(reason)


def _threshold(node: Node) -> float | None:
    match node:
        case Binary(op="and" | "unless"):
            return _threshold(node.left)  # the left side's value is the result's
        case Binary(op=op, as_bool=False) if op in COMPARISONS:
            constants = [side.value for side in (node.right, node.left) if isinstance(side, Number)]
            return constants[0] if constants else None
        case _:
            return None
