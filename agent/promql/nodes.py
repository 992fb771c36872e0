"""Our own syntax tree of PromQL: frozen, typed, without parentheses; names and units are Prometheus's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import re2

from agent.quantities import show_duration

LOOKBACK_MS = 5 * 60_000  # how old the newest sample of an instant selector may be


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


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector: the newest sample of each series, not older than the lookback."""

    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0

    @property
    def window_ms(self) -> int:
        """How far back from its own time it looks."""
        return LOOKBACK_MS

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.matchers))
        return f"{self.name}{{{inside}}}" if inside else self.name


@dataclass(frozen=True, slots=True)
class Range:
    """A range selector: every sample of each series in the window."""

    selector: Selector
    window_ms: int

    @property
    def offset_ms(self) -> int:
        """The selector's own offset."""
        return self.selector.offset_ms

    def __str__(self) -> str:
        return f"{self.selector}[{show_duration(self.window_ms)}]"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table applied to its arguments."""

    function: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`op` over groups: those with equal `labels`, or with `without` equal in all others."""

    op: str
    expr: Node
    without: bool
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Matching:
    """How elements of two vectors find each other: `on` these labels, or on all others."""

    on: bool = False
    labels: frozenset[str] = frozenset()
    many: str = ""  # the side with several elements a match: "left", "right" or neither
    include: tuple[str, ...] = ()  # labels taken from the other side


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two expressions; `as_bool` makes a comparison give 0 or 1 instead of filtering."""

    op: str
    left: Node
    right: Node
    as_bool: bool = False
    matching: Matching = Matching()


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    expr: Node


Node = Number | Selector | Range | Call | Aggregate | Binary | Negate


def is_scalar(node: Node) -> bool:
    """Whether it gives one number and no vector."""
    match node:
        case Number():
            return True
        case Call():
            return node.function in ("time", "scalar")
        case Binary():
            return is_scalar(node.left) and is_scalar(node.right)
        case Negate():
            return is_scalar(node.expr)
        case _:
            return False


def quote(text: str) -> str:
    """A PromQL string literal, for messages."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly beneath; a range counts as one with its selector."""
    match node:
        case Call():
            return node.args
        case Aggregate() | Negate():
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
