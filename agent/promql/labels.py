"""Label sets: choosing, removing and showing."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from agent.model import Labels
from agent.promql.nodes import quote

NAME = "__name__"


def keep(labels: Labels, names: AbstractSet[str]) -> Labels:
    """Only the labels with these names."""
    return tuple(pair for pair in labels if pair[0] in names)


def without(labels: Labels, names: AbstractSet[str]) -> Labels:
    """All but the labels with these names."""
    return tuple(pair for pair in labels if pair[0] not in names)


def render(labels: Labels) -> str:
    """As PromQL writes them, sorted by name: `{a="b", c="d"}`."""
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"
