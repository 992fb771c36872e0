"""The form of a rule: under which conditions a record is accepted, and what it does then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agent.control.records import Record
from agent.control.state import State

# Why the record is void, up to a colon always in the same words; None where this does not keep it.
Condition = Callable[[State, Record], str | None]
Effect = Callable[[State, Record], State]  # cannot fail: all that could is a condition


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of section 2's table. The conditions are asked in this order; the first that objects counts."""

    accepted_if: tuple[Condition, ...]
    does: Effect


def objection(conditions: Iterable[Condition], state: State, record: Record) -> str | None:
    """The first reason against the record."""
    for condition in conditions:
        if (why := condition(state, record)) is not None:
            return why
    return None
