"""Whether an effect names what this release can reach: its record may be a later one's, or forged."""

from __future__ import annotations

import re

from agent.model import Effect, Operation
from agent.wire import BadEntry

_OWNER = re.compile(r"broker-\d+", re.ASCII)
_CONFIGURED = re.compile(r"broker/\d+|topic/.+", re.ASCII)
_REPLICA = re.compile(r"replica/.+-\d+", re.ASCII)


def check(effect: Effect) -> None:
    """Raises BadEntry where who owns it, or a resource that it changes, is of no kind that is known here: a
    person must look."""
    if not _OWNER.fullmatch(effect.owner):
        raise BadEntry(f"its owner {effect.owner!r} is no agent: a person must look")
    for change in effect.changes:
        check_resource(change.resource, _REPLICA if change.operation is Operation.MOVE else _CONFIGURED)


def check_resource(resource: str, known: re.Pattern[str] = _CONFIGURED) -> None:
    """The same of one resource whose settings are read or changed."""
    if not known.fullmatch(resource):
        raise BadEntry(f"its resource {resource!r} is of no kind that this release knows: a person must look")
