"""Schedules written by hand, where those that are drawn come to something too rarely. Their seeds are below
0: `make sim SEED=-1 TRACE=1` shows one as any other."""

from __future__ import annotations

from dataclasses import replace

from simulation import daemon_written
from simulation.schedules import BY_HAND, Event, Machinery, Schedule, drawn


def schedule_of(seed: int) -> Schedule:
    """The one that is written, or drawn, for a seed."""
    if seed >= BY_HAND:
        return daemon_written.WRITTEN[seed - BY_HAND]
    return drawn(seed) if seed >= 0 else WRITTEN[-1 - seed]


def _agents(count: int) -> tuple[Machinery, ...]:
    return tuple(Machinery(rate=1.0, offset=0.0, fold_max=2) for _ in range(count))


def _wanted(at: float, kind: str, target: int, by: int, lasts: float = 20.0) -> Event:
    """A problem that one agent sees."""
    return Event(at, "problem", target, lasts, 1 << by, f"{kind}#{target}")


# Seven want what may begin four times in 20 s.
RUSH = Schedule(
    -1, "base", _agents(3), True, 35.0, tuple(_wanted(8.0, "quota", n, 1 + n % 3) for n in range(1, 8))
)
# A broker stops with a request in its buffer, and its agent is gone; others settle what it left.
HANGS = Schedule(
    -2, "stopped", _agents(3), False, 45.0, (Event(8.0, "host hangs", 2, 32.0), _wanted(9.0, "quota", 1, 2))
)


def _late_comer(joins: float, pause: float, lost: int, target: int) -> tuple[Event, ...]:
    """Agent 2 joins late, sets a quota, and is paused; the tail with its join is lost. 1 wants `target`'s."""
    return (
        Event(0.0, "suspend", 2, joins, 4),
        Event(joins, "problem", 1, 20.0, LONG | 1 << 2, "quota#1"),
        Event(joins + 3.0, "problem", target, 20.0, 1 << 1, "quota#2"),
        Event(joins + 3.15, "pause", 2, pause, 4),
        Event(joins + 3.2, "tail lost", 0, 0.0, lost - 1),
    )


LONG = 1 << 5  # bits of a problem that no agent has, which make its lease 4 s
BEFORE_IT_IS_BACK = Schedule(-3, "tail", _agents(2), True, 25.0, _late_comer(6.0, 2.75, 10, 1))
SAME_OFFSET = Schedule(-4, "tail", _agents(2), True, 25.0, _late_comer(6.0, 6.0, 10, 2))
# The topic is made again; 1 is back at once, 2, whose effect stands, when the log has yet to settle.
RECREATED = Schedule(
    -5,
    "recreated",
    _agents(2),
    True,
    32.0,
    (
        Event(11.0, "problem", 1, 20.0, LONG | 1 << 2, "quota#1"),
        Event(12.0, "topic re-created", 1, 0.0, 24),
        Event(12.1, "crash", 2, 5.0, 4),
        Event(13.0, "problem", 1, 20.0, 1 << 1, "quota#2"),
    ),
    (("settle", 9_000), ("probation", 0)),
)
# A machine is frozen in the step in which its request leaves, until others have closed its claim.
FROZEN = Schedule(
    -6,
    "frozen",
    _agents(3),
    True,
    50.0,
    (Event(8.0, "freeze in the gap", 2, 32.0, 1), _wanted(9.0, "quota", 1, 2, 40.0)),
)
# All are shown a shorter log, then its tail is lost, too: a join is on its way, stamped with what is lost.
LOST_TWICE = Schedule(
    -7,
    "tail",
    _agents(3),
    True,
    24.0,
    (
        Event(6.296, "problem", 2, 25.0, 18, "throttle#0"),
        Event(7.43, "shorter log", 1, 3.25, 12),
        Event(7.67, "tail lost", 0, 0.0, 9),
        Event(7.741, "problem", 1, 25.0, 52, "throttle#2"),
    ),
)
# 2 begins in the moment in which 1 does not read, and is cut off; the topic is made again meanwhile.
LAST_RECORDS = Schedule(
    -8,
    "recreated",
    _agents(2),
    True,
    40.0,
    (
        Event(11.0, "pause", 1, 1.2, 4),
        Event(11.1, "problem", 1, 20.0, LONG | 1 << 2, "throttle#1"),
        Event(11.8, "cut", 2, 15.0, 4),
        Event(11.9, "topic re-created", 1, 0.0, 24),
        Event(14.0, "problem", 2, 20.0, 1 << 1, "throttle#2"),
    ),
)
# A beat and two claims are kept for half an hour, which passes; their sessions and problems are long gone.
HALF_AN_HOUR_LATE = Schedule(
    -9,
    "base",
    _agents(2),
    True,
    1_850.0,
    (
        Event(7.9, "appends late", 2, 3.0, 7),
        _wanted(8.0, "quota", 1, 2),
        Event(14.0, "appends late", 1, 4.0, 7),
        Event(16.0, "crash", 1, 6.0, 4),
        Event(40.0, "appends late", 2, 3.0, 7),
        _wanted(40.1, "quota", 2, 2),
        Event(42.5, "crash", 2, 6.0, 4),
    ),
)
# A machine is frozen between a claim's being dirty and the beat before its effect; its clocks do not tell.
BEFORE_THE_BEAT = replace(
    FROZEN, seed=-10, events=(Event(9.393, "freeze", 2, 32.0, 4), _wanted(9.0, "quota", 1, 2, 40.0))
)
# An agent is paused in the step in which its request leaves, until others have had its claim for a while.
PAUSED = Schedule(
    -11,
    "gap",
    _agents(3),
    True,
    50.0,
    (Event(8.0, "pause in the gap", 2, 19.0, 1), _wanted(9.0, "quota", 1, 2, 40.0)),
)
# People pause one kind, and certain scopes; an agent wants just that meanwhile.
KIND_PAUSED = Schedule(
    -12,
    "people",
    _agents(3),
    True,
    35.0,
    (Event(8.0, "operator pauses", 1, 24.0, 6), _wanted(18.0, "throttle", 1, 2, 10.0)),
)
SCOPES_PAUSED = replace(
    KIND_PAUSED,
    seed=-13,
    events=(Event(8.0, "operator pauses", 1, 24.0, 3), _wanted(18.0, "throttle", 1, 2, 10.0)),
)
# Five want what their remedy's own limit lets begin twice in 20 s.
LIMITED = Schedule(
    -14, "base", _agents(3), True, 35.0, tuple(_wanted(8.0, "limited", n, 1 + n % 3) for n in range(1, 6))
)
# The tail goes with two claims of one agent that are eight offsets apart; it declares both again, and ends
# the later one first. 2 wants what the earlier one has changed.
SAME_STAMP = Schedule(
    -15,
    "tail",
    _agents(2),
    True,
    25.0,
    (
        Event(8.0, "problem", 1, 30.0, 26, "quota#1"),
        Event(9.7, "problem", 2, 30.0, 1 << 1, "quota#2"),
        Event(9.7, "problem", 1, 30.0, 1 << 2, "quota#3"),
        Event(10.3, "tail lost", 0, 0.0, 13),
    ),
)
# An agent dies with something done to its own host, and others try to adopt that.
OF_ONE_HOST = Schedule(
    -16,
    "people",
    _agents(3),
    True,
    40.0,
    (_wanted(9.0, "drain", 2, 2), Event(10.2, "crash", 2, 22.0, 4), Event(20.0, "confusion", 1)),
)
# The tail goes with the claim of an agent that is away until the log's beginning, and what it knew, is gone.
AWAY_FOR_LONG = Schedule(
    -17,
    "deleted",
    _agents(3),
    True,
    75.0,
    (
        Event(12.0, "problem", 1, 20.0, LONG | 1 << 2, "quota#1"),
        Event(13.0, "crash", 2, 55.0, 4),
        Event(13.05, "tail lost", 0, 0.0, 6),
        Event(66.0, "beginning deleted", 1, 0.0, 1),
    ),
    mark_every=30,
)
WRITTEN = (
    RUSH,
    HANGS,
    BEFORE_IT_IS_BACK,
    SAME_OFFSET,
    RECREATED,
    FROZEN,
    LOST_TWICE,
    LAST_RECORDS,
    HALF_AN_HOUR_LATE,
    BEFORE_THE_BEAT,
    PAUSED,
    KIND_PAUSED,
    SCOPES_PAUSED,
    LIMITED,
    SAME_STAMP,
    OF_ONE_HOST,
    AWAY_FOR_LONG,
)
