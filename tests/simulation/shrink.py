"""Cuts a schedule down to the shortest that still breaks the same invariant."""

from __future__ import annotations

from dataclasses import replace

from simulation.play import play
from simulation.schedules import Event, Schedule


def broken(violation: str | None) -> str:
    """Which invariant: the text up to its colon."""
    return (violation or "").partition(":")[0]


def shrunk(schedule: Schedule) -> Schedule:
    """Events are left out, halves first, until none can be any more."""
    wanted = broken(play(schedule).violation)
    events = list(schedule.events)
    size = max(len(events) // 2, 1)
    while True:
        shorter = _without(schedule, events, size, wanted)
        if len(shorter) == len(events) and size == 1:
            return replace(schedule, events=tuple(events))
        size = max(size // 2, 1) if len(shorter) == len(events) else min(size, max(len(shorter) // 2, 1))
        events = shorter


def _without(schedule: Schedule, events: list[Event], size: int, wanted: str) -> list[Event]:
    """Each group of so many is left out where that changes nothing."""
    start = 0
    while start < len(events):
        less = events[:start] + events[start + size :]
        if broken(play(replace(schedule, events=tuple(less))).violation) == wanted:
            events = less
        else:
            start += size
    return events
