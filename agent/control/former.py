"""What a log that was made again may not know yet of the one before it, and for how long this agent begins
nothing therefore (coordination.md section 9).

Who began or closed something there tells it with its own join. Whom to wait for is known to who followed the
former log to its end: nobody begins anything in the PROBATION of his session, so whoever joined since this
agent's newest record began nothing if that is younger. Who did not follow it, or has no memory of it, waits
until all that was handled there would be forgotten.
"""

from __future__ import annotations

from msgspec import Struct

from agent.control.fold import CLOCK_STEP
from agent.control.memory import cooldown, cooldown_most
from agent.control.state import State
from agent.control.words import clock_time

NAMED = 3  # agents, in words


class Followed(Struct, frozen=True):
    """A log that this agent followed to its end, and the other agents that may have done something in it of
    which it had not read."""

    log: str
    agents: tuple[str, ...]


def followed(
    state: State, agent: str, before: Followed | None, newest: int | None, boot: int
) -> Followed | None:
    """Of the log of this state, which has just been seen to be gone; None where it was not followed to its
    end, or while this agent could not tell what had gone before it.

    `newest`: when this agent made its newest record that it saw accepted (own boot time in ms).
    """
    if newest is None or not _within_probation(state, boot - newest):
        return None
    agents = {session.agent for session in state.sessions.values()} - {agent}
    if state.after and state.clock < CLOCK_STEP + cooldown_most(state):
        missing = absent(state, before)
        if missing is None:
            return None
        agents.update(missing)
    return Followed(state.log, tuple(sorted(agents)))


def _within_probation(state: State, ms: int) -> bool:
    """On the worst clocks."""
    rho = state.params["rho"]
    return ms * (1_000 + rho) < state.params["probation"] * (1_000 - rho)


def absent(state: State, before: Followed | None) -> list[str] | None:
    """Who of the log before has yet to join this one; None where this agent cannot tell."""
    if before is None or before.log != state.after:
        return None
    return [agent for agent in before.agents if agent not in state.incarnations]


def not_heard(state: State, before: Followed | None, kind: str | None = None) -> str | None:
    """Why this agent begins nothing yet of that kind, or of any, in words; None where nothing keeps it.

    The log's clock has run by at most CLOCK_STEP when its first record was written.
    """
    if not state.after:
        return None
    patience = cooldown(state, kind) if kind else cooldown_most(state)
    left = CLOCK_STEP + patience - state.clock
    missing = absent(state, before)
    if left <= 0 or missing == []:
        return None
    until, told = clock_time(state.time + left), "the log was made again, and"
    if missing is None:
        return f"{told} this agent had not followed the former to its end: it begins nothing until {until}"
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    who = f"{', '.join(missing[:NAMED])}{more}"
    return (
        f"{told} these of the former have yet to join it: {who}; nothing is begun until they have, or {until}"
    )
