"""What accepted records must not bring about, asked of the records themselves and of true time: I7 and I8 of
docs/coordination.md."""

from __future__ import annotations

from agent.control.fold import Verdict
from agent.control.records import Record
from agent.control.state import State


class Accepted:
    """`saw`: of each order of people who race, by its reason, the reason of the one that they mean to replace
    (empty: none)."""

    def __init__(self) -> None:
        self.saw: dict[str, str] = {}
        self.first: str | None = None  # violation
        self.proved: list[
            tuple[int, int]
        ] = []  # of each snapshot that is a start for all who come: its place,
        # and the offset of the record by which another agent than its writer confirmed it
        self._unproved: list[tuple[int, int, str]] = []  # offset, place and writer
        self._orders: list[tuple[int, str, str]] = []  # offset, selector and reason of each pause
        self._heard: dict[int, list[tuple[int, float]]] = {}  # session → its records: offset, true time

    def grown(self, before: State, state: State, verdict: Verdict, now: float) -> None:
        """One record more, and the states around it."""
        record = verdict.record
        if record is None or verdict.void is not None:
            return
        self._proves(state.offset, record)
        if record.t == "pause":
            self._ordered(state.offset, record)
        for session in before.sessions.keys() - state.sessions.keys() if record.t == "expire" else ():
            self._ended(before, session, now)
        session = state.offset if record.t == "join" else record.s
        self._heard.setdefault(session, []).append((state.offset, now))

    def truncated(self, end: int) -> None:
        """The log ends before that offset."""
        self._orders = [order for order in self._orders if order[0] < end]
        self.proved = [each for each in self.proved if each[1] < end]
        self._unproved = [each for each in self._unproved if each[0] < end]
        for session, heard in self._heard.items():
            self._heard[session] = [each for each in heard if each[0] < end]

    def _proves(self, offset: int, record: Record) -> None:
        """As agent.control.confirmation wants it."""
        if record.t == "snapshot":
            self._unproved.append((offset, record.x["at"], record.a))
        found = [(at, place, who) for at, place, who in self._unproved if record.b >= at and record.a != who]
        self.proved += [(place, offset) for _, place, _ in found]
        self._unproved = [each for each in self._unproved if each not in found]

    def _ordered(self, offset: int, record: Record) -> None:
        """I7: it replaces just what its person saw."""
        selector, reason = record.x["selector"], record.x["reason"]
        replaced = next((r for _, s, r in reversed(self._orders) if s == selector), "")
        if (saw := self.saw.get(reason, replaced)) != replaced:
            why = f"I7: {reason} replaces {replaced or 'nothing'} of {selector}, but saw {saw or 'nothing'}"
            self.first = self.first or why
        self._orders.append((offset, selector, reason))

    def _ended(self, before: State, session: int, now: float) -> None:
        """I8: by the word of others no session ends that was heard within W."""
        w = min(before.params["w"], before.params["w_idle"]) / 1_000
        heard = self._heard[session][-1][1]
        if now - heard < w:
            why = (
                f"I8: {before.sessions[session].agent}'s session ends {now - heard:.3f} s after it was heard"
            )
            self.first = self.first or why
