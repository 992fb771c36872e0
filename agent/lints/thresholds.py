"""Conditions on one value, as intervals: can two expressions have a result at the same time?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from msgspec import Struct

from agent.lints.shapes import COMPARISONS
from agent.promql.nodes import Binary, Node, Number, Selector

# The values that satisfy a condition: from, to, and whether the ends are in it.
Interval = tuple[float, float, bool, bool]
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=="}
_ALL: Interval = (-math.inf, math.inf, True, True)


def conditions(node: Node) -> Mapping[Any, Interval]:
    """What each value must satisfy for a result, by the shape of what is compared with a number.

    Only what surely is asked for: comparisons with a number, joined by `and`; the left side of `unless`.
    """
    match node:
        case Binary(op="and"):
            left, right = conditions(node.left), conditions(node.right)
            joined = {key: both(left.get(key, _ALL), right.get(key, _ALL)) for key in {**left, **right}}
            return {key: interval for key, interval in joined.items() if interval}
        case Binary(op="unless"):
            return conditions(node.left)
        case Binary() if node.op in COMPARISONS and not node.as_bool:
            return _condition(node)
        case _:
            return {}


def both(one: Interval, other: Interval) -> Interval | None:
    """The values in both; None where there are none."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    from_low = all(i[2] for i in (one, other) if i[0] == low)
    to_high = all(i[3] for i in (one, other) if i[1] == high)
    if low > high or (low == high and not (from_low and to_high)):
        return None
    return low, high, from_low, to_high


def show(interval: Interval) -> str:
    """One value of it, for people."""
    low, high, from_low, to_high = interval
    if from_low and math.isfinite(low):
        return f"{low:g}"
    if to_high and math.isfinite(high):
        return f"{high:g}"
    if math.isfinite(low) and math.isfinite(high):
        return f"{(low + high) / 2:g}"
    return f"{low + max(1, abs(low)):g}" if math.isfinite(low) else f"{high - max(1, abs(high)):g}"


def _condition(node: Binary) -> Mapping[Any, Interval]:
    value, op = (
        (node.right, node.op) if isinstance(node.right, Number) else (node.left, _FLIPPED.get(node.op, ""))
    )
    compared = node.left if value is node.right else node.right
    if not isinstance(value, Number):
        return {}
    ends = {
        "<": (-math.inf, value.value, True, False),
        "<=": (-math.inf, value.value, True, True),
        ">": (value.value, math.inf, False, True),
        ">=": (value.value, math.inf, True, True),
        "==": (value.value, value.value, True, True),
    }
    return {_shape(compared): ends[op]} if op in ends else {}


def _shape(part: Any) -> Any:
    """Equal for equal expressions; matchers that a label of the alert fills in are left out."""
    if isinstance(part, Selector):
        matchers = frozenset(str(m) for m in part.matchers if "$" not in m.value)
        return part.name, matchers, part.offset_ms
    if is_dataclass(part):
        kept = [f.name for f in fields(part) if f.compare]
    elif isinstance(part, Struct):
        kept = [*part.__struct_fields__]
    else:
        return tuple(map(_shape, part)) if isinstance(part, tuple) else part
    return type(part).__name__, *(_shape(getattr(part, name)) for name in kept)
