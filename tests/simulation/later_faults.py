"""What the events of the later sets do (schedules.LATER_SETS and MILLIONS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from simulation import people
from simulation.schedules import Event
from simulation.simulation import Simulation

MOMENT = 0.005  # seconds: shorter than a broker takes from waking to what its sockets held


def _node_stops_again(sim: Simulation, event: Event) -> None:
    """A broker stops with a request in its buffer, and its agent dies. It is woken for a moment, in which it
    answers who has been asking, but comes to nothing else; it wakes for good long after."""
    node = max(event.node, 1)

    def stop() -> None:
        sim.say(f"node {node} stops with a request in its buffer, and will be woken twice")
        sim.world.stop(node)
        sim.kernel.after(0.0, sim.crash, node, 0.5 + event.number % 3, "killed beside its broker")
        sim.kernel.after(event.lasts, wake_for_a_moment)

    def wake_for_a_moment() -> None:
        sim.world.wake(node)
        sim.kernel.after(MOMENT, sim.world.stop, node)
        sim.kernel.after(MOMENT + 4.0 + event.number % 7, sim.world.wake, node)

    sim.world.stops_on_arrival[node] = stop


def _votes_late(sim: Simulation, event: Event) -> None:
    sim.votes_late = 1.0 + event.number % 70 / 10
    sim.kernel.after(event.lasts, setattr, sim, "votes_late", 0.0)


def _snapshot_forged(sim: Simulation, event: Event) -> None:
    sim.forges = event.number % 2 == 0


def _beginning_deleted(sim: Simulation, event: Event) -> None:
    """All up to the place of a snapshot that any agent can start from; mostly the newest one."""
    proved = sorted(sim.canon.accepted.proved)
    if not proved:
        return
    place, confirmed = proved[-1 if event.number % 4 else 0]
    if place > sim.partition.view.start:
        sim.say(f"the log begins at {place} now")
        sim.canon.seen["beginnings deleted"] += 1
        sim.partition.delete_beginning(place, confirmed + 1)


def _segment_ends(sim: Simulation, event: Event) -> None:
    """A segment ends, and some seconds later the next one."""
    sim.partition.roll()
    if event.number % 3:
        sim.kernel.after(event.number % 50 / 10, sim.partition.roll)


LATER_FAULTS: Mapping[str, Callable[[Simulation, Event], None]] = MappingProxyType(
    {
        "node stops again": _node_stops_again,
        "votes late": _votes_late,
        "snapshot forged": _snapshot_forged,
        "operators race": people.race,
        "beginning deleted": _beginning_deleted,
        "segment ends": _segment_ends,
    }
)
