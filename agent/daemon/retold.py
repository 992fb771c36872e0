"""Which refusal is no news: it stands in its incident as it was told, perhaps with other numbers."""

from __future__ import annotations

import re

from agent import gate
from agent.history import Incident
from agent.model import Effect, Refusal
from agent.proposal import alike

RETOLD_MS = 5 * 60_000  # so long a refusal stands as it was told, though its numbers change meanwhile


def is_told(known: Incident, refusal: Refusal, plan: Effect | None, now: int) -> bool:
    """Whether it stands as it was told; a proposal does for as long as its plan is what was shown."""
    told, age = Refusal(known.question, known.reason), now - known.at
    if told == refusal or _sort(told) != _sort(refusal):
        return told == refusal
    if refusal.question == gate.APPROVAL:
        return bool(known.effect and plan and alike(known.effect, plan))
    return 0 <= age < RETOLD_MS


def _sort(refusal: Refusal) -> tuple[str, str]:
    """Without its numbers: a count that moves each few seconds would fill the journal, which is never cut.
    Nor the name of what is proposed, which the least change of a plan changes."""
    return refusal.question, re.sub(r"(?<=ottla )(approve|deny) \w+|\d+", "", refusal.reason)
