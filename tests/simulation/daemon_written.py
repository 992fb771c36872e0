"""Schedules written by hand for the daemon, where those that are drawn come to something too rarely; their
seeds are from BY_HAND on."""

from __future__ import annotations

from simulation.schedules import BY_HAND, Event, Machinery, Schedule


def _schedule(
    number: int, faults: str, agents: int, ends: float, *events: Event, sasl: bool = True
) -> Schedule:
    machines = (Machinery(rate=1.0, offset=0.0, fold_max=2),) * agents
    return Schedule(BY_HAND + number, faults, machines, sasl, ends, events)


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
    # A leader changes while an agent is dead, so that an undo waits; meanwhile a person sets the rate anew.
    # Where there is SASL the session of its connection has ended by then.
    _schedule(
        4,
        "base",
        3,
        40.0,
        Event(5.0, "problem", 1, 30.0, 0, "Far"),
        Event(12.0, "crash", 3, 20.0),
        Event(12.2, "leader", 0, 0.0, 0),
        Event(12.5, "operator undoes", 1),
        Event(14.0, "operator throttles", 1, 20.0, 0),
        sasl=False,
    ),
    # The controller stops with a request in its socket; it lands when another has waited for its budget.
    _schedule(
        5,
        "stopped",
        2,
        40.0,
        Event(4.5, "node stops on arrival", 0, 10.0),
        Event(5.0, "problem", 1, 22.0, 0, "Behind"),
        Event(11.7, "problem", 2, 22.0, 1, "Behind"),
    ),
    # An agent dies when half of what it clears is cleared, and peers find it.
    _schedule(
        6,
        "kept",
        3,
        45.0,
        Event(4.5, "crash in the gap", 1, 33.0, 1),
        Event(5.0, "problem", 1, 30.0, 1, "Leftover"),
    ),
    # … when what it cleared has healed, and its claim is yet to be given back.
    _schedule(
        7,
        "kept",
        3,
        40.0,
        Event(4.5, "crash at an entry", 1, 2.0, 3),
        Event(5.0, "problem", 1, 30.0, 1, "Leftover"),
    ),
    # … while the first of two replicas is copied.
    _schedule(
        8,
        "kept",
        3,
        40.0,
        Event(5.0, "problem", 1, 4.0, 1, "Full"),
        Event(6.5, "crash", 1, 0.5, 4),
    ),
    # A person takes a drain back while a replica is copied.
    _schedule(
        9,
        "kept",
        2,
        40.0,
        Event(5.0, "problem", 1, 30.0, 1, "Full"),
        Event(5.8, "operator undoes", 1, 0.0, 1),
    ),
    # An agent dies when half of what it clears is cleared, and a person sets a part of that anew.
    _schedule(
        10,
        "kept",
        3,
        45.0,
        Event(4.0, "throttle left", 1, 0.0, 0),
        Event(4.5, "crash in the gap", 1, 33.0, 1),
        Event(5.0, "problem", 1, 30.0, 1, "Leftover"),
        Event(10.0, "throttle left", 1, 0.0, 2),
    ),
    # A move that takes long to begin does so when a person has taken its drain back, and takes longer than a
    # request is in doubt.
    _schedule(
        11,
        "kept",
        2,
        60.0,
        Event(4.0, "disks slow", 1, 50.0),
        Event(4.5, "writes slow", 1, 12.0, 4),
        Event(5.0, "problem", 1, 30.0, 1, "Full"),
        Event(6.8, "operator undoes", 1, 0.0, 1),
    ),
    # … and its agent dies when the undo is written down, and adopts its claim.
    _schedule(
        12,
        "kept",
        3,
        60.0,
        Event(4.0, "disks slow", 1, 50.0),
        Event(4.5, "writes slow", 1, 12.0, 4),
        Event(5.0, "problem", 1, 30.0, 1, "Full"),
        Event(6.75, "crash at an entry", 1, 1.0, 1),
        Event(6.8, "operator undoes", 1, 0.0, 1),
    ),
)
