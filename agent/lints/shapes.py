"""What the tree of an expression says about its result."""

from __future__ import annotations

from collections.abc import Iterator

from agent.promql.nodes import Aggregate, Binary, Call, Negate, Node, Number, Range, Selector, Subquery, walk

COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
SETS = frozenset({"and", "or", "unless"})


def selectors(node: Node) -> tuple[Selector, ...]:
    """The instant selectors in it, those of ranges included, in the order of the text."""
    found = (n.selector if isinstance(n, Range) else n for n in walk(node))
    return tuple(n for n in found if isinstance(n, Selector))


def comparisons(node: Node) -> Iterator[Binary]:
    """Every comparison in it."""
    return (n for n in walk(node) if isinstance(n, Binary) and n.op in COMPARISONS)


def ranges(node: Node) -> Iterator[tuple[Call, Range]]:
    """Every range selector with the function around it."""
    calls = (n for n in walk(node) if isinstance(n, Call))
    return ((call, argument) for call in calls for argument in call.args if isinstance(argument, Range))


def filters(node: Node) -> bool:
    """Whether it may have no result though every series that it reads has samples."""
    match node:
        case Binary(op="or"):
            return filters(node.left) and filters(node.right)
        case Binary(op="and" | "unless"):
            return True
        case Binary() if node.op in COMPARISONS and not node.as_bool:
            return True
        case Binary():
            return filters(node.left) or filters(node.right)
        case Call() if node.function in ("absent", "absent_over_time"):
            return True
        case Call():  # scalar() makes NaN of nothing
            return node.function != "scalar" and any(map(filters, node.args))
        case Aggregate() | Negate() | Subquery():
            return filters(node.expr)
        case _:
            return False


def constant(node: Binary) -> float | None:
    """The number that one side is compared with."""
    numbers = [side.value for side in (node.right, node.left) if isinstance(side, Number)]
    return numbers[0] if numbers else None
