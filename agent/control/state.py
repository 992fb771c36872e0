"""What the fold makes of the log: sessions, claims and memories; frozen, equal where offsets are equal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from agent.control.times import Budget

UNBORN = "0" * 64  # the digest before the first record
Digests = tuple[tuple[str, ...], ...]


class ClaimState(StrEnum):
    """The life of a claim; granted, dirty, orphan and stuck ones occupy their scopes."""

    QUEUED = "queued"
    GRANTED = "granted"
    DIRTY = "dirty"
    ORPHAN = "orphan"  # its holder's session ended: who adopts it makes sure what stands of it
    STUCK = "stuck"  # it outlived its last adoption: only a person closes it
    CLOSED = "closed"


class Limit(Struct, frozen=True, array_like=True):
    """A remedy's own rate for the whole cluster, as its claim brings it."""

    name: str
    rate: int
    window: int


class Claim(Struct, frozen=True, array_like=True):
    """One open claim. `token` is the offset of the record that last gave it to its holder."""

    id: int  # the offset of its record; `redeclared_id` where a join brought it back
    epoch: int  # leader epoch of that record: offsets are used again after a lost tail
    stamp: int  # the last five digits of the rates that its effect sets
    agent: str  # that claimed, found or redeclared it
    holder: str  # the agent that has it, or had it last; empty: nobody yet
    session: int  # of the holder
    kind: str
    scopes: tuple[str, ...]
    problem: str
    host: str  # only this one may adopt it; empty: any
    priority: int  # lower goes first
    why: str
    limit: Limit | None
    queued: int  # virtual clock
    token: int
    at: int  # append time of the record that last moved it
    state: ClaimState = ClaimState.QUEUED
    effect: str | None = None  # canonical JSON
    via: int | None = None  # node id the effect is sent to
    adoptions: int = 0
    plan: tuple[tuple[str, str], ...] = ()  # (resource, key) that it would change, for kinds without stamps


class Closed(Struct, frozen=True, array_like=True):
    """A claim that was closed, remembered until `until` (virtual): its identity and its stamp."""

    epoch: int
    stamp: int
    agent: str
    problem: str
    until: int


class Session(Struct, frozen=True, array_like=True):
    """One life of one agent; its id is the offset of its join."""

    id: int
    agent: str
    host: str
    rack: str
    version: str
    fold_max: int
    nonce: str
    joined: int  # virtual clock
    n: int  # the last sequence number used up
    last: int  # offset of its newest accepted record
    heard: int  # append time of that record
    votes: tuple[str, ...] = ()  # agents that witnessed its silence since then
    notes: tuple[int, ...] = ()  # virtual times of the last minute's notes


class Pause(Struct, frozen=True, array_like=True):
    """What an operator stopped, or let go again; `until` 0 is until resumed, else virtual."""

    on: bool
    until: int
    reason: str
    by: str


class Coming(Struct, frozen=True, array_like=True):
    """A parameter's next value, which counts from `since` (virtual) on."""

    value: int
    since: int


class Began(Struct, frozen=True, array_like=True):
    """That a claim became dirty at `at` (virtual); rates of these names count that."""

    at: int
    names: tuple[str, ...]


class Mark(Struct, frozen=True, array_like=True):
    """The state's hash at an offset divisible by 5,000; `taken` once a snapshot of it was accepted."""

    offset: int = -1
    hash: str = ""
    taken: bool = False


class Move(Struct, frozen=True):
    """One transition of one claim; `event` says why, `before` None that it is new."""

    claim: int
    before: ClaimState | None
    after: ClaimState
    event: str
    session: int  # that held it before


class State(Struct, frozen=True):
    """The whole state at `offset`. `clock` is virtual log time in ms: for ages and rates, never leases."""

    offset: int = -1
    epoch: int = -1  # the leader's
    epoch_start: int = 0  # its first offset
    clock: int = 0
    time: int = 0  # append time of the last record
    settled_at: int = 0  # virtual; nothing is granted before
    log: str = ""  # empty: no log is born
    after: str = ""  # the log that this one replaces
    cluster: str = ""
    version: int = 0  # of the fold
    params: Mapping[str, int] = {}
    coming: Mapping[str, Coming] = {}
    budgets: Mapping[str, Budget] = {}
    pauses: Mapping[str, Pause] = {}  # by selector
    changes: Mapping[str, int] = {}  # offset of the last operators' record on each thing
    sessions: Mapping[int, Session] = {}  # the live ones
    barrier: frozenset[int] = frozenset()  # sessions that were live when the leader changed, and silent since
    incarnations: Mapping[str, int] = {}  # the highest of each agent
    claims: Mapping[int, Claim] = {}  # the open ones
    closed: Mapping[int, Closed] = {}  # claims that are remembered
    handled: Mapping[str, int] = {}  # problem → until when it is remembered (virtual)
    began: tuple[Began, ...] = ()  # what became dirty within the longest window
    voids: Mapping[str, int] = {}  # how many records had no effect, by reason
    mark: Mark = Mark()
    moves: tuple[Move, ...] = ()  # of the last record
    digests: Digests = ((UNBORN,),)  # up to `offset`, in pieces: see digests.py

    @property
    def digest(self) -> str:
        """The history's digest at `offset`."""
        return self.digests[-1][-1]
