"""What the fold makes of the log: sessions, claims and memories; frozen, equal where offsets are equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.control.times import Budget

UNBORN = "0" * 64  # the digest before the first record


class Refused(Exception):
    """A record is void; the text says why, up to a colon always in the same words."""


class ClaimState(StrEnum):
    """The life of a claim; granted and dirty ones occupy their scopes."""

    QUEUED = "queued"
    GRANTED = "granted"
    DIRTY = "dirty"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Limit:
    """A remedy's own rate for the whole cluster, as its claim brings it."""

    name: str
    rate: int
    window: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One open claim. `token` is the offset of the record that last gave it to its holder."""

    id: int  # the offset of its record
    agent: str
    session: int
    kind: str
    scopes: tuple[str, ...]
    problem: str
    host: str
    priority: int  # lower goes first
    why: str
    limit: Limit | None
    queued: int  # virtual clock
    token: int
    at: int  # append time of the record that last moved it
    state: ClaimState = ClaimState.QUEUED
    effect: str | None = None  # canonical JSON
    via: int | None = None  # node id the effect is sent to


@dataclass(frozen=True, slots=True)
class Session:
    """One life of one agent; its id is the offset of its join."""

    id: int
    agent: str
    host: str
    nonce: str
    n: int  # the last sequence number used up
    heard: int  # append time of the last accepted record
    notes: tuple[int, ...] = ()  # virtual times of the last minute's notes


@dataclass(frozen=True, slots=True)
class Move:
    """One transition of one claim; `event` says why."""

    claim: int
    before: ClaimState
    after: ClaimState
    event: str
    session: int  # that held it before


@dataclass(frozen=True, slots=True)
class State:
    """The whole state at `offset`. `clock` is virtual log time in ms: for ages and rates, never leases."""

    offset: int = -1
    clock: int = 0
    time: int = 0  # append time of the last record
    log: str = ""  # empty: no log is born
    version: int = 0  # of the fold
    params: Mapping[str, int] = field(default_factory=dict)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    sessions: Mapping[int, Session] = field(default_factory=dict)  # the live ones
    incarnations: Mapping[str, int] = field(default_factory=dict)  # the highest of each agent
    claims: Mapping[int, Claim] = field(default_factory=dict)  # the open ones
    handled: Mapping[str, int] = field(
        default_factory=dict
    )  # problem → until when it is remembered (virtual)
    dirtied: tuple[tuple[int, tuple[str, ...]], ...] = ()  # when (virtual) which rated scopes became dirty
    voids: Mapping[str, int] = field(default_factory=dict)  # how many records had no effect, by reason
    moves: tuple[Move, ...] = ()  # of the last record
    digests: tuple[str, ...] = field(default=(UNBORN,), repr=False)  # up to `offset`, at most 4,096

    @property
    def digest(self) -> str:
        """The history's digest at `offset`."""
        return self.digests[-1]
