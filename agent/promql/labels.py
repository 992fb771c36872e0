"""Label sets: choosing, removing and showing."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from agent.model import Labels
from agent.promql.nodes import quote

NAME = "__name__"
METADATA = frozenset({NAME, "__type__", "__unit__"})  # what goes with the name (schema.IsMetadataLabel)


def keep(labels: Labels, names: AbstractSet[str]) -> Labels:
    """Only the labels with these names."""
    return tuple(pair for pair in labels if pair[0] in names)


def without(labels: Labels, names: AbstractSet[str]) -> Labels:
    """All but the labels with these names."""
    return tuple(pair for pair in labels if pair[0] not in names)


def value_of(labels: Labels, name: str) -> str:
    """The value of one label; absent is empty."""
    return next((value for key, value in labels if key == name), "")


def replaced(labels: Labels, name: str, value: str) -> Labels:
    """The same with this label set, or removed by an empty value."""
    rest = without(labels, {name})
    return tuple(sorted((*rest, (name, value)))) if value else rest


def render(labels: Labels) -> str:
    """As PromQL writes them, sorted by name: `{a="b", c="d"}`."""
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"
