"""The facts that are written down, and by which clock."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from agent.model.decisions import Decision
from agent.model.effects import Effect


class Kind(StrEnum):
    """The kinds of fact."""

    REFUSED = "refused"
    PROPOSED = "proposed"  # nothing but a person's word is missing; carries the plan
    WAITING = "waiting"  # queued for a claim
    STARTED = "started"  # written before the first effect; carries the effect
    DONE = "done"  # the effect stands
    FAILED = "failed"  # it does not, or nobody knows
    HEALED = "healed"
    NO_BETTER = "no better"
    WORSE = "worse"
    UNDOING = "undoing"  # it must go, by no verdict; written before the first request of a claim's undo
    UNDONE = "undone"
    ESCALATED = "escalated"
    WITHDRAWN = "withdrawn"  # the alert ended before anything was done
    CLOSED = "closed"  # nothing of it stands, and nothing more will be done
    OPERATOR = "operator"  # pause, resume, undo, approve, deny: what a person said
    AGENT = "agent"  # the agent's own life: started, stopped, rules loaded or refused


class Boot(msgspec.Struct, frozen=True):
    """An instant by the kernel's own clock, which nobody sets: ms since boot `id`, suspends included. Without
    an id nothing is known of it."""

    id: str = ""
    at: int = 0

    def passed(self, now: Boot) -> int | None:
        """Ms from this instant to `now`; None across a boot of the machine."""
        return now.at - self.at if self.id and self.id == now.id else None


Called = int | tuple[int, int]  # a claim: its id and its record's leader epoch; older journals tell no epoch


class Entry(msgspec.Struct, frozen=True):
    """One fact: the journal's line, the control topic's note and the status feed are all this."""

    at: int
    kind: Kind
    reason: str
    incident: str = ""
    question: str = ""  # the gate's question that refused; of an operator's entry the verb
    decision: Decision | None = None
    effect: Effect | None = None
    claim: int | None = None
    until: int | None = None  # the end of the lease, or of a pause
    boot: Boot | None = None  # of a start, and of a person's word: `at` once more
    claim_epoch: int | None = None  # the leader epoch of the claim's record: offsets are used again
