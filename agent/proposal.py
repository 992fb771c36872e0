"""What a person is asked: its name, and whether a plan is still no more than what they were shown."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from agent.model import Change, Decision, Effect, Operation

LENGTH = 6  # hexadecimal digits: few to copy, and no two of a night's proposals share them
NEAR = 0.1  # of a number, as a measured rate: nobody decides otherwise for so little

_LISTS = (Operation.APPEND, Operation.SUBTRACT)


def name(decision: Decision, effect: Effect | None) -> str:
    """Short, and another one where the decision or what it would change is another."""
    asked = msgspec.json.encode((replace(decision, value=0.0), effect))
    return hashlib.sha256(asked).hexdigest()[:LENGTH]


def covers(shown: Effect, plan: Effect) -> bool:
    """Whether a plan changes nothing but what was shown. It may change less: replicas catch up."""
    known = {(change.resource, change.key): change for change in shown.changes}
    same = (shown.action, shown.owner) == (plan.action, plan.owner)
    return same and all(_was_shown(known.get((c.resource, c.key)), c) for c in plan.changes)


def alike(one: Effect, other: Effect) -> bool:
    """Whether a person who was shown the one need not be shown the other."""
    return covers(one, other) and covers(other, one)


def _was_shown(shown: Change | None, change: Change) -> bool:
    if shown is None or shown.operation is not change.operation:
        return False
    if change.operation in _LISTS:
        return _entries(change) <= _entries(shown)
    return shown.prior == change.prior and (shown.new == change.new or _near(shown.new, change.new))


def _entries(change: Change) -> set[str]:
    return set((change.new or "").split(","))


def _near(one: str | None, other: str | None) -> bool:
    if not (one and other and one.isdecimal() and other.isdecimal()):
        return False
    return abs(int(one) - int(other)) <= NEAR * int(one)
