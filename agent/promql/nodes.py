"""Our own syntax tree of PromQL: frozen, typed, without parentheses; names and units are Prometheus's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import re2
from msgspec import Struct

from agent.quantities import show_duration

LOOKBACK_MS = 5 * 60_000  # how old the newest sample of an instant selector may be
SUBQUERY_STEP_MS = 60_000  # Prometheus's default evaluation interval, for `[5m:]`

START, END = "start()", "end()"
At = int | str  # the @ modifier: milliseconds, or START or END of the query


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label: `op` is `=`, `!=`, `=~` or `!~`; patterns are RE2, anchored at both ends."""

    name: str
    op: str
    value: str
    pattern: re2.Pattern | None = field(default=None, compare=False, repr=False)

    def matches(self, text: str) -> bool:
        """Whether a label's value (empty when the label is absent) meets the condition."""
        hit = self.pattern.fullmatch(text) is not None if self.pattern else text == self.value
        return hit != self.op.startswith("!")

    def __str__(self) -> str:
        return f"{self.name}{self.op}{quote(self.value)}"


class Number(Struct, frozen=True):
    """A scalar constant."""

    value: float


class String(Struct, frozen=True):
    """A string constant, the argument of some functions."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector: the newest sample of each series, not older than the lookback.

    `name` is the exact metric name; None where patterns on `__name__` or other labels select. `place` is
    where it begins in the text, as "line:column".
    """

    name: str | None
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: At | None = None
    place: str = field(default="", compare=False)

    @property
    def window_ms(self) -> int:
        """How far back from its own time it looks."""
        return LOOKBACK_MS

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.matchers))
        return f"{self.name or ''}{{{inside}}}" if inside else self.name or "{}"


class Range(Struct, frozen=True):
    """A range selector: every sample of each series in the window."""

    selector: Selector
    window_ms: int

    @property
    def offset_ms(self) -> int:
        """The selector's own offset."""
        return self.selector.offset_ms

    @property
    def at(self) -> At | None:
        """The selector's own @ modifier."""
        return self.selector.at

    def __str__(self) -> str:
        return f"{self.selector}[{show_duration(self.window_ms)}]"


class Subquery(Struct, frozen=True):
    """A range made by evaluating `expr` at every multiple of `step_ms` in the window."""

    expr: Node
    window_ms: int
    step_ms: int
    offset_ms: int = 0
    at: At | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table applied to its arguments; `places`: its own and each argument's."""

    function: str
    args: tuple[Node, ...]
    places: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`op` over groups: those with equal `labels`, or with `without` equal in all others.

    `param` is the first argument of topk, bottomk, quantile (a scalar) and count_values (a string).
    """

    op: str
    expr: Node
    without: bool
    labels: frozenset[str]
    param: Node | None = None
    places: tuple[str, ...] = field(default=(), compare=False)


class Matching(Struct, frozen=True):
    """How elements of two vectors find each other: `on` these labels, or on all others.

    `fill`: the values of elements that are missing on the left and on the right (None: no result then).
    """

    on: bool = False
    labels: frozenset[str] = frozenset()
    many: str = ""  # the side with several elements a match: "left", "right" or neither
    include: tuple[str, ...] = ()  # labels taken from the other side
    fill: tuple[float | None, float | None] = (None, None)


class Binary(Struct, frozen=True):
    """An operator between two expressions; `as_bool` makes a comparison give 0 or 1 instead of filtering."""

    op: str
    left: Node
    right: Node
    as_bool: bool = False
    matching: Matching = Matching()


class Negate(Struct, frozen=True):
    """Unary minus."""

    expr: Node


Node = Number | String | Selector | Range | Subquery | Call | Aggregate | Binary | Negate
_SCALARS = frozenset({"time", "scalar", "pi", "start", "end", "step", "range", "max_of", "min_of"})


def is_scalar(node: Node) -> bool:
    """Whether it gives one number and no vector."""
    match node:
        case Number():
            return True
        case Call():
            return node.function in _SCALARS
        case Binary():
            return is_scalar(node.left) and is_scalar(node.right)
        case Negate():
            return is_scalar(node.expr)
        case _:
            return False


def kind(node: Node) -> str:
    """The type of the result, by Prometheus's names: scalar, string, matrix or vector."""
    if isinstance(node, Range | Subquery):
        return "matrix"
    if isinstance(node, String):
        return "string"
    return "scalar" if is_scalar(node) else "vector"


def place(node: Call | Aggregate, argument: int) -> str:
    """Where an argument begins in the text, as "line:column"; empty where that was not found."""
    return node.places[argument + 1] if len(node.places) > argument + 1 else ""


def quote(text: str) -> str:
    """A PromQL string literal, for messages."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly beneath, in the order of the text; a range counts as one with its selector."""
    match node:
        case Call():
            return node.args
        case Aggregate():
            return (node.expr,) if node.param is None else (node.param, node.expr)
        case Negate() | Subquery():
            return (node.expr,)
        case Binary():
            return (node.left, node.right)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything beneath it, outermost first."""
    yield node
    for child in children(node):
        yield from walk(child)
