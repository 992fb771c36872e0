"""Reads single values: each reader turns a node into what is meant, or raises `Wrong` with words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from agent.model import Labels, Rate, labels_of
from agent.quantities import parse_duration, parse_rate, parse_ratio, parse_size
from agent.yaml_marks.complaints import closest
from agent.yaml_marks.forms import Wrong, kind
from agent.yaml_marks.nodes import Fields, Items, Node, Scalar
from agent.yaml_marks.shapes import shaped

T = TypeVar("T")
N = TypeVar("N", int, float)
MAX_QUANTITY = 1 << 62  # fits every store's signed 64 bits; nothing real comes near
_TEXT = {"type": "string", "pattern": "\\S"}


@shaped(_TEXT)
def text(node: Node) -> str:
    """Text that is not empty."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and not node.value.strip():
        raise Wrong("expected text, but it is empty")
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        quote = "put it in quotes" if isinstance(node, Scalar) and node.text else None
        raise Wrong(f"expected text, but here stands {kind(node)}", quote)
    return node.value


@shaped({"type": "boolean"})
def flag(node: Node) -> bool:
    """`true` or `false`; YAML 1.2 has no yes, no, on and off."""
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise Wrong(f"expected true or false, but here stands {kind(node)}")
    return node.value


@shaped({"type": "integer", "minimum": 0, "maximum": MAX_QUANTITY})
def integer(node: Node) -> int:
    """A whole number, zero or more."""
    if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
        raise Wrong(f"expected a whole number, but here stands {kind(node)}")
    if not 0 <= node.value <= MAX_QUANTITY:
        raise Wrong(f"{node.value} is out of range: 0 to {MAX_QUANTITY}")
    return node.value


@shaped({"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY})
def positive(node: Node) -> int:
    """A whole number, one or more."""
    value = integer(node)
    if value < 1:
        raise Wrong("must be at least 1")
    return value


@shaped({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]})
def texts(node: Node) -> tuple[str, ...]:
    """A list of texts; a single text is a list of one."""
    if isinstance(node, Scalar):
        return (text(node),)
    if not isinstance(node, Items):
        raise Wrong(f"expected a list of texts, but here stands {kind(node)}")
    for item in node.items:
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            raise Wrong(f"expected a text in the list, but here stands {kind(item)}", place=item.place)
    return tuple(text(item) for item in node.items)


@shaped({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}})
def pairs(node: Node) -> Labels:
    """A mapping of names to single values, each taken as text, as Prometheus does."""
    if not isinstance(node, Fields):
        raise Wrong(f"expected a mapping of names to texts, but here stands {kind(node)}")
    found = {}
    for name, value in node.fields.items():
        if not isinstance(value, Scalar):
            raise Wrong(f"{name}: expected text, but here stands {kind(value)}", place=value.place)
        found[name] = value.text
    return labels_of(found)


def choice(options: Mapping[str, T]) -> Callable[[Node], T]:
    """What one of these words stands for."""

    @shaped({"enum": list(options)})
    def read(node: Node) -> T:
        word = node.text if isinstance(node, Scalar) else ""
        if word not in options:
            known = ", ".join(options)
            raise Wrong(f"expected one of {known}, but here stands {kind(node)}", closest(word, options))
        return options[word]

    return read


def _measured(parse: Callable[[str], N], wanted: str, shape: Mapping[str, Any]) -> Callable[[Node], N]:
    @shaped({**shape, "description": wanted})
    def read(node: Node) -> N:
        if not isinstance(node, Scalar) or not node.text:
            raise Wrong(f"expected {wanted}, but here stands {kind(node)}")
        try:
            value = parse(node.text)
        except (ValueError, OverflowError) as e:
            raise Wrong(str(e)[:200]) from None
        if value > MAX_QUANTITY:
            raise Wrong(f"{node.text[:60]} is more than can be counted")
        return value

    return read


_UNITS = "(?=.)" + "".join(f"([0-9]+{unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms"))
_SIZE = r"[0-9]+(\.[0-9]+)?\s*([KMGT]i|[kMGT])?B"
duration = _measured(
    parse_duration,
    "a duration like 30s or 1h30m",
    {"anyOf": [{"type": "string", "pattern": f"^({_UNITS}|0)$"}, {"const": 0}]},
)
size = _measured(parse_size, "a size like 50MiB", {"type": "string", "pattern": f"^{_SIZE}$"})
rate = _measured(parse_rate, "a rate like 50MiB/s", {"type": "string", "pattern": f"^{_SIZE}/s$"})
ratio = _measured(
    parse_ratio,
    "a ratio like 0.75 or 75%",
    {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": "[0-9]"}]},
)


@shaped({"type": "string", "pattern": "^[0-9]{1,9}/.+$", "description": "as 2/1h: so many in a time"})
def times(node: Node) -> Rate:
    """`2/1h`: at most two in any hour."""
    written = node.text if isinstance(node, Scalar) else ""
    count, slash, window = written.partition("/")
    if not slash or not count.isdecimal() or not count.isascii() or len(count) > 9 or int(count) == 0:
        raise Wrong(f"expected a count in a time, but here stands {kind(node)}", "write it like 2/1h")
    try:
        window_ms = parse_duration(window)
    except ValueError as e:
        raise Wrong(str(e)[:200], "write it like 2/1h") from None
    if not 0 < window_ms <= MAX_QUANTITY:
        raise Wrong(f"{written[:60]!r} has no time in it", "write it like 2/1h")
    return Rate(int(count), window_ms)
