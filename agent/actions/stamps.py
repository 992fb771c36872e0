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


def stands_at(effect: Effect) -> tuple[tuple[str, str], ...]:
    """The resource and key of each stamped value."""
    return tuple((change.resource, change.key) for change in effect.changes if is_stamped(change))


def is_stamped(change: Change) -> bool:
    """Whether its value tells the claim under which it was set."""
    return change.operation is Operation.SET and change.key in RATES and change.new is not None


def blind_without_log(effect: Effect) -> str | None:
    """Why it must not be undone while the log cannot be used: of what was removed nothing tells who removed
    it, and the claim may have been closed by a peer since. Entries of a list name what they throttle, and
    moves are of the own broker. None where each change tells."""
    for change in effect.changes:
        if not is_stamped(change) and change.operation not in (Operation.APPEND, Operation.MOVE):
            return (
                f"what stands does not tell whose {change.key} of {change.resource} is: it waits for the log"
            )
    return None


def _stamp(change: Change, claim_id: int) -> Change:
    if not is_stamped(change):
        return change
    return replace(change, new=str(stamped(int(change.new or 0), claim_id)))
