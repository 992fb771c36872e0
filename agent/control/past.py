"""What the state does not say of open claims, as this agent read it in the log: who held them before, and
what they were called before joins brought them back (coordination.md section 2, redeclare; section 4, 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.control.claims import REDECLARED, is_called, redeclared_id
from agent.control.fold import Verdict
from agent.control.state import Claim, State
from agent.model import Called

REMEMBERED = 1_024  # claims, the latest ones

Identity = tuple[int, int]  # id and leader epoch


def identity(claim: Claim) -> Identity:
    """What an open claim is called whatever becomes of the log: ids are used again."""
    return claim.id, claim.epoch


def number_of(name: Called) -> int:
    """The id that a claim was called by."""
    return name if isinstance(name, int) else name[0]


class Past:
    """Mutable, without I/O. It outlives a lost tail: what a lost record gave to somebody was used, too."""

    def __init__(self) -> None:
        self._holders: dict[Identity, dict[int, str]] = {}  # by session
        self._called: dict[Identity, tuple[Identity, ...]] = {}  # the newest first
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
        sessions = self._holders.get(identity(claim), {})
        return frozenset(agent for session, agent in sessions.items() if session != claim.session)

    def called(self, claims: Mapping[int, Claim], name: Called) -> Claim | None:
        """The one of these, by their ids, that is called so, or was; by an id alone first the one that has
        it now."""
        now = claims.get(number_of(name))
        if now is not None and self.is_called(now, name):
            return now
        return next((claim for claim in claims.values() if self.is_called(claim, name)), None)

    def is_called(self, claim: Claim, name: Called) -> bool:
        """Whether the claim is called so, or was. Where the joins that brought it back were not all read its
        stamp tells: another claim had the same offset at most in another epoch."""
        before = self._called.get(identity(claim), ())
        if isinstance(name, int):
            return is_called(claim, name) or any(number == name for number, _ in before)
        if name == identity(claim) or name in before:
            return True
        all_read = claim.id < REDECLARED or bool(before and before[-1][0] < REDECLARED)
        return not all_read and claim.id != name[0] and is_called(claim, name[0])

    def _note(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            if claim.holder:
                self._holders.setdefault(identity(claim), {})[claim.session] = claim.holder

    def _renamed(self, state: State, verdict: Verdict) -> None:
        """What a join brought back under another id."""
        record = verdict.record
        if record is None or record.t != "join" or verdict.void is not None:
            return
        for index, item in enumerate(record.x["redeclare"]):
            claim = state.claims.get(redeclared_id(state.offset, index))
            if claim is not None:
                before, now = (item["claim"], item["epoch"]), identity(claim)
                self._called[now] = (before, *self._called.get(before, ()))
                self._holders[now] = dict(self._holders.get(before, {}))
