"""Schedules written by hand for the daemon, where those that are drawn come to something too rarely; their
seeds are from BY_HAND on."""

from __future__ import annotations

from simulation.schedules import BY_HAND, Event, Machinery, Schedule


def _schedule(number: int, faults: str, agents: int, ends: float, *events: Event) -> Schedule:
    machines = (Machinery(rate=1.0, offset=0.0, fold_max=2),) * agents
    return Schedule(BY_HAND + number, faults, machines, True, ends, events)


WRITTEN = (
    # A request that takes long leaves an agent that dies with it, and is back before it lands.
    _schedule(
        0,
        "gap",
        2,
        30.0,
        Event(4.0, "writes slow", 0, 30.0, 4),
        Event(4.5, "crash in the gap", 1, 0.3, 1),
        Event(5.0, "problem", 1, 22.0, 0, "Behind"),
    ),
    # An agent dies with its first request, and is back when others have closed that and begun something else.
    _schedule(
        1,
        "gap",
        3,
        60.0,
        Event(4.5, "crash in the gap", 1, 31.0, 1),
        Event(5.0, "problem", 1, 50.0, 0, "Far"),
        Event(32.0, "problem", 2, 25.0, 1, "Far"),
    ),
    # The topic is made again while an effect stands.
    _schedule(
        2,
        "recreated",
        2,
        40.0,
        Event(5.0, "problem", 1, 30.0, 0, "Far"),
        Event(14.0, "topic re-created", 1, 0.0, 24),
    ),
    # The topic is made again, and who alone knew what stands is away for longer than the cool-down.
    _schedule(
        3,
        "recreated",
        2,
        66.0,
        Event(0.0, "suspend", 2, 15.5, 4),
        Event(5.0, "problem", 1, 20.0, 0, "Far"),
        Event(13.0, "cut", 1, 47.0, 4),
        Event(14.0, "topic re-created", 1, 0.0, 24),
        Event(18.0, "problem", 2, 40.0, 1, "Far"),
    ),
)
