"""What the state does not say of open claims, as this agent read it in the log: who held them before, and
what they were called before joins brought them back (coordination.md section 2, redeclare; section 4, 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.control.claims import is_called, redeclared_id
from agent.control.fold import Verdict
from agent.control.state import Claim, State

REMEMBERED = 1_024  # claims, the latest ones

Identity = tuple[int, int]  # id and leader epoch


class Past:
    """Mutable, without I/O. It outlives a lost tail: what a lost record gave to somebody was used, too."""

    def __init__(self) -> None:
        self._holders: dict[Identity, dict[int, str]] = {}  # by session
        self._called: dict[Identity, tuple[int, ...]] = {}
        self._offset = -1

    def saw(self, state: State, verdict: Verdict) -> None:
        """One record, and the state after it."""
        if state.offset != self._offset + 1:  # a start, in the midst of the log perhaps
            self._note(state.claims.values())
        self._offset = state.offset
        self._renamed(state, verdict)
        self._note(state.claims[move.claim] for move in verdict.moves if move.claim in state.claims)
        for known in (self._holders, self._called):
            while len(known) > REMEMBERED:
                del known[next(iter(known))]

    def holders(self, claim: Claim) -> frozenset[str]:
        """The agents whose sessions held it before the one that has it now."""
        sessions = self._holders.get((claim.id, claim.epoch), {})
        return frozenset(agent for session, agent in sessions.items() if session != claim.session)

    def called(self, claims: Mapping[int, Claim], number: int) -> Claim | None:
        """The one of these, by their ids, that has this id, or had it."""
        return claims.get(number) or next((c for c in claims.values() if self._was(c, number)), None)

    def _was(self, claim: Claim, number: int) -> bool:
        return is_called(claim, number) or number in self._called.get((claim.id, claim.epoch), ())

    def _note(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            if claim.holder:
                self._holders.setdefault((claim.id, claim.epoch), {})[claim.session] = claim.holder

    def _renamed(self, state: State, verdict: Verdict) -> None:
        """What a join brought back under another id."""
        record = verdict.record
        if record is None or record.t != "join" or verdict.void is not None:
            return
        for index, item in enumerate(record.x["redeclare"]):
            claim = state.claims.get(redeclared_id(state.offset, index))
            if claim is not None:
                before, now = (item["claim"], item["epoch"]), (claim.id, claim.epoch)
                self._called[now] = (item["claim"], *self._called.get(before, ()))
                self._holders[now] = dict(self._holders.get(before, {}))
