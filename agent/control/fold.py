"""The fold: one record more makes the next state, the same on every agent (coordination.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from agent.control.admission import ADMISSION
from agent.control.bodies import FOLD, fault
from agent.control.digests import link
from agent.control.operator_rules import now_in_force
from agent.control.records import BadRecord, Record, opened
from agent.control.rule import objection
from agent.control.schedule import schedule
from agent.control.sessions import begin_epoch, hear, use_up
from agent.control.snapshot import marked, of_the_mark
from agent.control.state import Move, State
from agent.control.table import TABLE
from agent.control.times import EVERY

CLOCK_STEP = 5_000  # ms; one spike of a broker's clock must not move the log's by more


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


class Verdict(Struct, frozen=True):
    """What became of a record: None accepted it, else the reason (up to a colon always the same words)."""

    void: str | None
    moves: tuple[Move, ...]  # of claims, those that the record made room for included
    record: Record | None  # None where the bytes are none that this release can read; see `of_the_mark`
    marked: str | None = None  # the state's canonical text where this offset is a mark: a snapshot's `state`


def fold(state: State, logged: Logged, every: int = EVERY) -> tuple[State, Verdict]:
    """The state after `logged`, whatever its bytes are; LogGap where it is not the next record. `every`: how
    many offsets lie between two marks; all agents of a log must have the same, and outside of tests it is
    EVERY."""
    if logged.offset != state.offset + 1:
        raise LogGap(f"offset {logged.offset} came after {state.offset}")
    before, state = state, _advance(state, logged)
    state, void, record = _judge(state, logged.value)
    if void is not None:
        state = replace(state, voids=_counted(state.voids, void))
    if state.log:
        state = schedule(before, state)
    state = replace(state, digests=link(state, logged.leader_epoch, logged.value, void))
    text = None
    if state.offset % every == 0:
        state, text = marked(state)
    return state, Verdict(void, state.moves, record, text)


def _advance(state: State, logged: Logged) -> State:
    """The record's place: offset, virtual clock, leader epoch, and the times that count from now on."""
    clock = state.clock + min(max(logged.at - state.time, 0), CLOCK_STEP)
    state = replace(state, offset=logged.offset, clock=clock, time=logged.at, moves=())
    if state.coming:
        state = now_in_force(state)
    return begin_epoch(state, logged.leader_epoch) if logged.leader_epoch > state.epoch else state


def _judge(state: State, raw: bytes) -> tuple[State, str | None, Record | None]:
    """The state that the record's row of the table makes, or why it is void; and the record, if it is one."""
    try:
        record = of_the_mark(state, raw) or opened(raw)
    except BadRecord as bad:
        return state, str(bad), None
    if (void := objection(ADMISSION, state, record)) is not None:
        return state, void, record if fault(record.t, record.x, FOLD) is None else None
    rule = TABLE[record.t]
    void = objection(rule.accepted_if, state, record)
    if record.s >= 0:
        state = hear(state, record) if void is None else use_up(state, record)
    return (rule.does(state, record) if void is None else state), void, record


def _counted(voids: Mapping[str, int], void: str) -> Mapping[str, int]:
    reason = void.partition(":")[0]
    return {**voids, reason: voids.get(reason, 0) + 1}
