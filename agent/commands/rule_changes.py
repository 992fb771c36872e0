"""What a reload changes, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_KINDS = (("rules", "rule"), ("remedies", "remedy"), ("patterns", "log pattern"))
_SHOWN = 50  # of a kind; `-o json` has all


def shown(changes: dict[str, Any]) -> Iterator[str]:
    """A line a change, and below it a line each part: what it is, what it becomes."""
    told = [line for key, kind in _KINDS for line in _kind(changes[key], kind)]
    told += ["~ the file of names"] if changes["names"] else []
    yield from told or ["nothing changes"]
    for one in changes["incidents"]:
        yield f"! {one['id']} ({one['phase']}) is open under what changes: it goes on as it was decided"


def _kind(changes: list[dict[str, Any]], kind: str) -> Iterator[str]:
    for change in changes[:_SHOWN]:
        yield f"{_SIGNS[change['what']]} {kind} {change['name']}"
        for part in change["fields"]:
            yield f"    {part['field']}: {part['before']} → {part['after']}"
    if len(changes) > _SHOWN:
        yield f"  and {len(changes) - _SHOWN} more changes of a {kind}: -o json has all"
