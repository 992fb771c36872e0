"""When an agent must be heard: idle, with claims, and at once under a new leader (coordination.md 4, 5)."""

from __future__ import annotations

from agent.control.digests import sha256
from agent.control.state import State

SPREAD, SPREAD_OF_MANY, MANY = 1_000, 5_000, 100  # ms, ms, sessions


def epoch_jitter(state: State, own: int) -> int:
    """How many ms after it saw the new epoch session `own` beats: 0 to 1 s, 0 to 5 s above 100 sessions."""
    spread = SPREAD_OF_MANY if len(state.sessions) > MANY else SPREAD
    return int(sha256(f"{state.epoch_start}/{own}")[:8], 16) % spread


def snapshot_delay(state: State, own: int) -> int:
    """How many ms after the mark session `own` writes the snapshot, if nobody has."""
    mine = sha256(f"{state.mark.offset}/{own}")
    rank = sum(sha256(f"{state.mark.offset}/{other}") < mine for other in state.sessions)
    return rank * SPREAD
