"""Entries of throttled replicas' lists that were ours, and are a reassignment's by now."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from agent.actions.ports import Ports
from agent.actions.throttles import entries
from agent.model import Change, Operation

Partitions = Collection[tuple[str, int]]


async def still_ours(changes: Sequence[Change], sides: Collection[str], ports: Ports) -> tuple[Change, ...]:
    """The changes, less what is not ours any more of these lists, whose rates are another's by now.

    A reassignment's tool sets its rates and its lists anew, and names in them what it moves: among that may
    be what we had added, and nothing tells the two apart. So it stays, or the copy would have no limit.
    """
    if not any(_listed(change, sides) for change in changes):
        return tuple(changes)
    busy = await ports.admin.reassignments()
    return tuple(_less(change, busy) if _listed(change, sides) else change for change in changes)


def _listed(change: Change, sides: Collection[str]) -> bool:
    return change.operation is Operation.APPEND and change.key in sides


def _less(change: Change, busy: Partitions) -> Change:
    topic = change.resource.removeprefix("topic/")
    kept = (e for e in entries(change.new) if (topic, int(e.partition(":")[0])) not in busy)
    return replace(change, new=",".join(kept))
