"""What is to be done, or why not."""

from __future__ import annotations

import msgspec

from agent.model.remedies import Argument, Verify
from agent.model.series import Labels


class Refusal(msgspec.Struct, frozen=True):
    """Why not: the question that was asked and the answer in words, facts and not countdowns."""

    question: str
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """What to do, complete: nothing is left to choose but the effect's prior values, read at the instant."""

    incident: str
    alert: str
    step: int
    do: str
    args: tuple[tuple[str, Argument], ...]
    target: str
    labels: Labels
    value: float  # of the alert, when decided
    lease_ms: int | None = None
    verify: Verify | None = None
    worse_if: str | None = None
    steps: int = 1  # the ladder's length
