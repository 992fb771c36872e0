"""Stamped values: a rate whose last digits say under which claim it was set."""

from __future__ import annotations

from msgspec.structs import replace

from agent.actions.throttles import RATES
from agent.model import Change, Effect, Operation

_ROOM = 100_000  # bytes a second; the last five digits carry the claim's id


def stamped(rate: int, claim_id: int) -> int:
    """The rate rounded up to a multiple of 100,000, plus the claim's id modulo 100,000."""
    return -(-rate // _ROOM) * _ROOM + claim_id % _ROOM


def restamp(effect: Effect, claim_id: int) -> Effect:
    """The effect with the stamp of its claim in every rate it sets; to be done once, before the intent."""
    return replace(effect, changes=tuple(_stamp(change, claim_id) for change in effect.changes))


def _stamp(change: Change, claim_id: int) -> Change:
    if change.operation is not Operation.SET or change.key not in RATES or change.new is None:
        return change
    return replace(change, new=str(stamped(int(change.new), claim_id)))
