"""Where an incident stands, and which entry leads from where to where."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.model import Kind


class Phase(StrEnum):
    """Where one incident stands."""

    NEW = "new"
    REFUSED = "refused"  # wanted, and told no
    PROPOSED = "proposed"  # to a person
    WAITING = "waiting"  # for a claim
    ACTING = "acting"  # an effect is written down; perhaps it stands, perhaps not
    VERIFYING = "verifying"  # it stands; does it help?
    HELD = "held"  # it helped, and stands until its lease ends
    UNDOING = "undoing"  # it must go
    SETTLED = "settled"  # nothing of this step stands; the next step, or the end
    ESCALATED = "escalated"  # a person is needed
    CLOSED = "closed"


_WANTED = {
    Kind.REFUSED: Phase.REFUSED,
    Kind.PROPOSED: Phase.PROPOSED,
    Kind.WAITING: Phase.WAITING,
    Kind.STARTED: Phase.ACTING,
    Kind.ESCALATED: Phase.ESCALATED,
    Kind.WITHDRAWN: Phase.CLOSED,
}
TRANSITIONS: Mapping[Phase, Mapping[Kind, Phase]] = {
    Phase.NEW: _WANTED,
    Phase.REFUSED: _WANTED,
    Phase.PROPOSED: _WANTED,
    Phase.WAITING: _WANTED,
    Phase.ACTING: {
        Kind.REFUSED: Phase.REFUSED,  # at the instant of effect: nothing was begun
        Kind.DONE: Phase.VERIFYING,
        Kind.FAILED: Phase.UNDOING,  # it may stand in part: undo finds out
        Kind.WORSE: Phase.UNDOING,
        Kind.UNDOING: Phase.UNDOING,  # a person said so, or its lease ended
        Kind.UNDONE: Phase.SETTLED,
    },
    Phase.VERIFYING: {
        Kind.HEALED: Phase.HELD,
        Kind.NO_BETTER: Phase.UNDOING,
        Kind.FAILED: Phase.UNDOING,  # as was found before it turned out that DONE had been written
        Kind.WORSE: Phase.UNDOING,
        Kind.UNDOING: Phase.UNDOING,
        Kind.UNDONE: Phase.SETTLED,  # as it is where the journal could not be written before
    },
    Phase.HELD: {
        Kind.NO_BETTER: Phase.UNDOING,  # likewise, that HEALED had been
        Kind.FAILED: Phase.UNDOING,
        Kind.UNDOING: Phase.UNDOING,
        Kind.UNDONE: Phase.SETTLED,
        Kind.WORSE: Phase.UNDOING,
        Kind.CLOSED: Phase.CLOSED,
    },
    Phase.UNDOING: {Kind.UNDONE: Phase.SETTLED, Kind.FAILED: Phase.UNDOING},
    Phase.SETTLED: {**_WANTED, Kind.CLOSED: Phase.CLOSED},
    Phase.ESCALATED: {Kind.CLOSED: Phase.CLOSED},
    Phase.CLOSED: {},
}
STANDING = frozenset({Phase.ACTING, Phase.VERIFYING, Phase.HELD, Phase.UNDOING})
VERDICTS = frozenset({Kind.HEALED, Kind.NO_BETTER, Kind.WORSE, Kind.FAILED})


class ImpossibleTransition(RuntimeError):
    """An entry that its incident's phase does not allow: a bug, or a journal that was tampered with."""
