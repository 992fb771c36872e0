"""What befalls daemons beside all that befalls the simulation's own driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from agent.actions.throttles import FOLLOWER_LIST, FOLLOWER_RATE, LEADER_RATE
from agent.kafka.configs import ConfigChange
from simulation import faults
from simulation.daemon_simulation import DaemonSimulation
from simulation.kept_world import KeptWorld
from simulation.lags import TOPICS
from simulation.schedules import Event


def befall(sim: DaemonSimulation, event: Event) -> None:
    """The event happens now."""
    if event.what == "problem":
        sim.say(f"{event.word} at broker {event.node} for {event.lasts:.1f} s")
        sim.lags.add(event)
    elif event.what in FAULTS:
        sim.say(f"* {str(event)[9:]}")
        sim.canon.seen[f"fault: {event.what}"] += 1
        FAULTS[event.what](sim, event)
    else:
        faults.befall(sim, event)


def _crash_at_an_entry(sim: DaemonSimulation, event: Event) -> None:
    """Right after it is on disk: the next one, or one soon after."""
    sim.at_entry[event.node] = 1 + event.number % 5, event.lasts


def _operator_throttles(sim: DaemonSimulation, event: Event) -> None:
    """A rate over whatever stands there, or an entry of a list; removed after a while."""
    key = (FOLLOWER_RATE, LEADER_RATE, FOLLOWER_LIST)[event.number % 3]
    if key == FOLLOWER_LIST:
        sim.world.by_person(ConfigChange(f"topic/t{event.number % TOPICS}", key, "append", "77:99"))
        return
    resource = f"broker/{event.node}"
    sim.world.by_person(ConfigChange(resource, key, "set", str(5_000_000 + event.number % 7)))
    sim.kernel.after(event.lasts, sim.world.by_person, ConfigChange(resource, key, "delete"))


def _stop_file(sim: DaemonSimulation, event: Event) -> None:
    sim.stop_files[event.node] += 1

    def over() -> None:
        sim.stop_files[event.node] -= 1

    sim.kernel.after(event.lasts, over)


def _operator_undoes(sim: DaemonSimulation, event: Event) -> None:
    if agent := sim.agents.get(event.node):

        def asked() -> None:
            for incident in agent.daemon.standing():
                agent.daemon.ask_undo(incident, "undone by operator")

        agent.process.loop.call_soon(asked)  # as a request that the agent serves


def _throttle_left(sim: DaemonSimulation, event: Event) -> None:
    """A person sets a rate, over whatever stands there, and forgets it."""
    assert isinstance(sim.world, KeptWorld)
    sim.world.leave_throttle(event.node, event.number)


def _disks_slow(sim: DaemonSimulation, event: Event) -> None:
    """What is copied takes longer than a request is in doubt."""
    assert isinstance(sim.world, KeptWorld)
    sim.world.copies_slowly(event.node, slowly=True)
    sim.kernel.after(event.lasts, partial(sim.world.copies_slowly, event.node, slowly=False))


FAULTS: Mapping[str, Callable[[DaemonSimulation, Event], None]] = MappingProxyType(
    {
        "crash at an entry": _crash_at_an_entry,
        "operator throttles": _operator_throttles,
        "stop file": _stop_file,
        "operator undoes": _operator_undoes,
        "throttle left": _throttle_left,
        "disks slow": _disks_slow,
    }
)
