"""Others' claims that went with a lost log, or its tail, while something of them stood (coordination.md
section 9): who had read one tells the log of it (`found`) before grants resume, and begins nothing beside it
until then. Whether it stands its adopter finds out: what a request may yet do is seen by nobody."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence

from msgspec import Struct

from agent.control.budgets import STANDING, budget_of, occupied
from agent.control.claims import REDECLARED, STAMPS, keys_of
from agent.control.state import Claim, Closed, State
from agent.control.witness import rank
from agent.control.words import claim_name

RANK_STEP = 100  # ms between two agents that tell of the same
AGAIN = 10_000  # ms until it is told again, where that was not accepted


class Lost(Struct, frozen=True):
    """Another agent's claim of which something stood, as a state had it before its log or tail was lost."""

    claim: int
    epoch: int
    agent: str
    kind: str
    scopes: tuple[str, ...]
    problem: str
    host: str
    effect: str  # JSON
    stamp: int = -1  # -1: the end of its id, as of what older releases kept
    holder: str = ""

    @property
    def identity(self) -> tuple[int, int, str]:
        """What no other claim has, whatever offsets are used again."""
        return self.claim, self.epoch, self.agent

    @property
    def found_as(self) -> str:
        """The problem of the claim that it becomes where its holder does not declare it again."""
        return f"found/{self.claim}.{self.epoch}/{self.agent}"


def as_lost(claim: Claim) -> Lost:
    """Of a claim that has an effect."""
    assert claim.effect is not None, "something of it may stand"
    return Lost(
        claim.id,
        claim.epoch,
        claim.agent,
        claim.kind,
        claim.scopes,
        claim.problem,
        claim.host,
        claim.effect,
        claim.stamp,
        claim.holder,
    )


def identity_of(claim: Claim) -> tuple[int, int, str]:
    """As a Lost has it."""
    return claim.id, claim.epoch, claim.agent


def unexplained(lost: Sequence[Lost], state: State) -> tuple[Lost, ...]:
    """Those that the log does not have any more, under whatever id: neither open, nor closed since."""
    return tuple(one for one in lost if not _is_known(state, one)) if lost else ()


def remembered(lost: Sequence[Lost], state: State) -> tuple[Lost, ...]:
    """Those that are still worth keeping: also what is open, since its intent may be what was lost."""
    return tuple(one for one in lost if _is_open(state, one) or not _is_known(state, one)) if lost else ()


def no_room(state: State, lost: Sequence[Lost], claim: Claim) -> str | None:
    """Why the claim may not take what it is granted, as long as the log does not know of these; in words."""
    standing = occupied(state.claims.values(), *STANDING) if lost else {}
    more = 0 if claim.state in STANDING else 1
    for scope in claim.scopes:
        those = [one for one in lost if scope in one.scopes]
        if those and standing.get(scope, 0) + more + len(those) > budget_of(state, scope).cap:
            one = those[0]
            return (
                f"{scope} may be held by claim {claim_name(one.claim)} of {one.agent}, which went with a "
                "lost tail or log: what it set is told to the log first"
            )
    return None


class Restorer:
    """When this agent tells the log of what it lost. Mutable, without I/O; instants are own boot times in ms.

    Its holder, if it lives, declares it again by its join, for which a third of SETTLE is left; and where all
    wait for that holder in the barrier, as long as this agent would not vote to end its session. Nothing is
    granted meanwhile.
    """

    def __init__(self) -> None:
        self._since: dict[tuple[int, int, str], int] = {}  # when each was first missed
        self._tried: dict[tuple[int, int, str], int] = {}

    def next(
        self, state: State, session: int, lost: Sequence[Lost], boot: int, silent: Container[str] = ()
    ) -> dict[str, object] | None:
        """The body of the `found` that session `session` should write now; each one once in a while.
        `silent`: the agents whose sessions it would vote to end."""
        for at, one in self._all(state, session, lost, boot, silent):
            if boot >= at:
                self._tried[one.identity] = boot
                return {
                    "kind": one.kind,
                    "scopes": list(one.scopes),
                    "problem": one.found_as,
                    "host": one.host,
                    "effect": json.loads(one.effect),
                }
        return None

    def due(self, state: State, session: int, lost: Sequence[Lost], boot: int) -> int | None:
        """When something is to be told, but for what waits for its holder."""
        return min((at for at, _ in self._all(state, session, lost, boot, ())), default=None)

    def _all(
        self, state: State, session: int, lost: Sequence[Lost], boot: int, silent: Container[str]
    ) -> Iterator[tuple[int, Lost]]:
        """When each is due; not what an open claim changes, too: it would be void."""
        if not lost:
            return
        behind = (state.sessions[each].agent for each in state.barrier)
        awaited = {agent for agent in behind if agent not in silent}
        held = {key for claim in state.claims.values() for key in keys_of(claim.effect)}
        for one in lost:
            patience = state.params["settle"] // 3
            at = self._since.setdefault(one.identity, boot) + patience
            at += RANK_STEP * rank(state, -one.claim, session)  # a session may have the same offset
            tried = self._tried.get(one.identity)
            if awaited.isdisjoint((one.agent, one.holder)) and held.isdisjoint(keys_of(one.effect)):
                yield (at if tried is None else max(at, tried + AGAIN)), one


def _is_known(state: State, one: Lost) -> bool:
    return any(_is_same(one, c.id, c) for c in state.claims.values()) or any(
        _is_same(one, number, c) for number, c in state.closed.items() if c.until > state.clock
    )


def _is_open(state: State, one: Lost) -> bool:
    claim = state.claims.get(one.claim)
    return claim is not None and identity_of(claim) == one.identity


def _is_same(one: Lost, number: int, claim: Claim | Closed) -> bool:
    """Itself, what a join declared again in its place, or what was found in its place."""
    stamp = one.stamp if one.stamp >= 0 else one.claim % STAMPS
    return (
        (number, claim.epoch, claim.agent) == one.identity
        or claim.problem == one.found_as
        or (number >= REDECLARED and (claim.stamp, claim.problem) == (stamp, one.problem))
    )
