"""What an expression needs of the store: where it reads, how far back, and which selectors find nothing."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from msgspec import Struct

from agent.promql.functions import ABOUT_ABSENCE, ABOUT_TIME, steady, whole
from agent.promql.nodes import LOOKBACK_MS, Binary, Call, Node, Range, Selector, Subquery, children
from agent.promql.vectors import Store


class Reach(Struct, frozen=True):
    """One selector and how far back it reads in all, subqueries around it included (ms). `newest`: of each
    series no more than the newest sample, as it is now."""

    selector: Selector
    window_ms: int
    offset_ms: int
    shown: str
    newest: bool = False

    def __str__(self) -> str:
        return self.shown


def reaches(node: Node, window_ms: int = 0, offset_ms: int = 0) -> Iterator[Reach]:
    """Every selector, outermost first; `window_ms` and `offset_ms` are those of the subqueries around."""
    match node:
        case Selector():
            newest = (window_ms, node.offset_ms + offset_ms, node.at) == (0, 0, None)
            yield Reach(node, node.window_ms + window_ms, node.offset_ms + offset_ms, str(node), newest)
        case Range():
            yield Reach(node.selector, node.window_ms + window_ms, node.offset_ms + offset_ms, str(node))
        case Subquery():
            yield from reaches(node.expr, window_ms + node.window_ms, offset_ms + node.offset_ms)
        case _:
            for child in children(node):
                yield from reaches(child, window_ms, offset_ms)


def histories(node: Node, *, all_of_it: bool = False) -> Iterator[tuple[str | None, int]]:
    """What each selector needs, by its metric's name (None: any): its window where a function around it needs
    all of that, else its offset."""
    if isinstance(node, Selector | Range):
        name = (node.selector if isinstance(node, Range) else node).name
        yield name, max(0, node.offset_ms + (node.window_ms if all_of_it else 0))
        return
    if isinstance(node, Subquery):
        beyond = max(0, node.offset_ms + (node.window_ms if all_of_it else 0))
        yield from ((name, beyond + each) for name, each in histories(node.expr))
        return
    inside = isinstance(node, Call) and whole(node.function)
    for child in children(node):
        yield from histories(child, all_of_it=inside or (all_of_it and not isinstance(node, Call)))


def steady_ms(node: Node) -> float:
    """How long all that is read must have said the same until more of it leaves the result as it is: 0 where
    only the newest values decide, infinite where it matters when they were taken or are looked at.

    A function that needs two samples finds them in any window of LOOKBACK_MS: one that comes later than a
    quarter of that is a change (agent/series/block.py).
    """
    match node:
        case Selector():
            return 0 if node.offset_ms == 0 and node.at is None else inf
        case Call() if steady(node.function):
            return max(map(_steady_range, node.args))
        case Range() | Subquery():
            return inf
        case Call() if node.function in ABOUT_TIME:
            return inf
        case _:
            return max(map(steady_ms, children(node)), default=0)


def _steady_range(node: Node) -> float:
    if isinstance(node, Range) and node.offset_ms == 0 and node.at is None and node.window_ms >= LOOKBACK_MS:
        return node.window_ms
    return inf


def unmatched(node: Node, store: Store, at: int, window_ms: int = 0, offset_ms: int = 0) -> tuple[Reach, ...]:
    """The selectors without one sample (or stale marker) in their whole window before `at`.

    Not those within absent(), which asks for just that; of the two sides of `or` only if both find nothing.
    """
    beyond = (window_ms, offset_ms)  # of the subqueries around
    match node:
        case Call() if node.function in ABOUT_ABSENCE:
            return ()
        case Binary(op="or"):
            left, right = unmatched(node.left, store, at, *beyond), unmatched(node.right, store, at, *beyond)
            return left + right if left and right else ()
        case Selector() | Range():
            return tuple(each for each in reaches(node, *beyond) if not finds(each, store, at))
        case Subquery():
            return unmatched(node.expr, store, at, window_ms + node.window_ms, offset_ms + node.offset_ms)
        case _:
            return tuple(each for child in children(node) for each in unmatched(child, store, at, *beyond))


def finds(reach: Reach, store: Store, at: int) -> bool:
    """Whether any series has a sample or a stale marker in the selector's window before `at`."""
    selector = reach.selector
    pinned = selector.at if isinstance(selector.at, int) else at
    end = pinned - reach.offset_ms
    return store.has(selector.name, selector.matchers, end - reach.window_ms, end)
