"""The fold: one record more makes the next state, the same on every agent (coordination.md section 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from agent.control import claim_rules, session_rules
from agent.control.bodies import FOLD
from agent.control.claims import schedule
from agent.control.records import BadRecord, Record, canonical, decode
from agent.control.state import Move, Refused, State

CLOCK_STEP = 5_000  # ms; one spike of a broker's clock must not move the log's by more
DIGESTS = 4_096

RULES: Mapping[str, Callable[[State, Record], State]] = MappingProxyType(
    {
        "genesis": session_rules.genesis,
        "join": session_rules.join,
        "beat": session_rules.beat,
        "leave": session_rules.leave,
        "note": session_rules.note,
        "claim": claim_rules.claim,
        "intent": claim_rules.intent,
        "release": claim_rules.release,
    }
)


class LogGap(Exception):
    """The record does not follow the last one folded: compacted, or the log's beginning is gone."""


class Logged(Protocol):
    """One record as it lies in the log; `at` is its LogAppendTime in milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def leader_epoch(self) -> int: ...
    @property
    def at(self) -> int: ...
    @property
    def value(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a record: None accepted it, else the reason (up to a colon always the same words)."""

    void: str | None
    moves: tuple[Move, ...]  # of claims, those that the record made room for included
    record: Record | None  # None where the bytes are not one


def fold(state: State, logged: Logged) -> tuple[State, Verdict]:
    """The state after `logged`, whatever its bytes are; LogGap where it is not the next record."""
    if logged.offset != state.offset + 1:
        raise LogGap(f"offset {logged.offset} came after {state.offset}")
    step = min(max(logged.at - state.time, 0), CLOCK_STEP)
    state = replace(state, offset=logged.offset, clock=state.clock + step, time=logged.at, moves=())
    state, void, record = _judge(state, logged.value)
    if void is not None:
        state = replace(state, voids=_counted(state.voids, void))
    state = schedule(state)
    state = replace(state, digests=(*state.digests[1 - DIGESTS :], _digest(state, logged, void)))
    return state, Verdict(void, state.moves, record)


def _judge(state: State, raw: bytes) -> tuple[State, str | None, Record | None]:
    try:
        record = decode(raw)
    except BadRecord as bad:
        return state, str(bad), None
    try:
        state = _admit(state, record)
        return RULES[record.t](state, record), None, record
    except Refused as refused:
        return state, str(refused), record


def _admit(state: State, record: Record) -> State:
    """What is asked of every record before its type's rule; a session's sequence number is used up by it.

    Used up even where the rule then refuses: a late copy of a refused record must not be accepted after all.
    """
    if record.t != "genesis" and not state.log:
        raise Refused("no log is born")
    if state.log and record.log != state.log:
        raise Refused("another log")
    if record.f != (state.version or FOLD):
        raise Refused("another fold version")
    _check_stamp(state, record)
    if record.t in ("genesis", "join"):
        if (record.s, record.n) != (-1, 0):
            raise Refused("a session before its join")
        return state
    return _use_up(state, record)


def _check_stamp(state: State, record: Record) -> None:
    """The history stamp: what was written upon a history that was lost, or long ago, has no effect."""
    index = record.b - (state.offset - len(state.digests))
    if not 0 <= index < len(state.digests) or state.digests[index] != record.d:
        raise Refused("stale, or from a history that was lost")


def _use_up(state: State, record: Record) -> State:
    session = state.sessions.get(record.s)
    if session is None or session.agent != record.a:
        raise Refused("its session is not live")
    if record.n <= session.n:
        raise Refused("a copy")
    return replace(state, sessions={**state.sessions, record.s: replace(session, n=record.n)})


def _counted(voids: Mapping[str, int], void: str) -> Mapping[str, int]:
    reason = void.partition(":")[0]
    return {**voids, reason: voids.get(reason, 0) + 1}


def _digest(state: State, logged: Logged, void: str | None) -> str:
    """The chain of all that was folded and decided; a reason's words behind the colon are not part of it."""
    verdict = "" if void is None else void.partition(":")[0]
    moves = [[m.claim, m.before, m.after] for m in state.moves]
    raw = hashlib.sha256(logged.value).hexdigest()
    link = [state.digest, logged.offset, logged.leader_epoch, logged.at, raw, verdict, moves]
    return hashlib.sha256(canonical(link).encode()).hexdigest()
