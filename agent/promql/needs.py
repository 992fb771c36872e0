"""Which selectors of an expression find nothing at all."""

from __future__ import annotations

from agent.promql.nodes import Binary, Call, Node, Range, Selector, children
from agent.promql.vectors import Store

_ABOUT_ABSENCE = frozenset({"absent", "absent_over_time"})


def unmatched(node: Node, store: Store, at: int) -> tuple[Selector | Range, ...]:
    """The selectors without one sample (or stale marker) in their whole window before `at`.

    Not those within absent(), which asks for just that; of the two sides of `or` only if both find nothing.
    """
    match node:
        case Selector() | Range():
            return () if finds(node, store, at) else (node,)
        case Call() if node.function in _ABOUT_ABSENCE:
            return ()
        case Binary(op="or"):
            left, right = unmatched(node.left, store, at), unmatched(node.right, store, at)
            return left + right if left and right else ()
        case _:
            return tuple(each for child in children(node) for each in unmatched(child, store, at))


def finds(node: Selector | Range, store: Store, at: int) -> bool:
    """Whether any series has a sample or a stale marker in the selector's window before `at`."""
    selector = node.selector if isinstance(node, Range) else node
    end = at - node.offset_ms
    return store.has(selector.name, selector.matchers, end - node.window_ms, end)
