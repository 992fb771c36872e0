"""What each event of a schedule does, and undoes when its time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from agent.control.carried import unpack
from simulation import people
from simulation.later_faults import LATER_FAULTS
from simulation.machines import Machine
from simulation.partition import View
from simulation.schedules import Event
from simulation.simulation import Simulation


def befall(sim: Simulation, event: Event) -> None:
    """The event happens now."""
    if event.what == "problem":
        sim.say(f"problem {event.word} at {event.node}, seen by {event.number:b} for {event.lasts:.1f} s")
        sim.problems.add(event)
        return
    if event.what in AT_WORK and event.number % 4:
        sim.at_work[event.node] = lambda: _happen(sim, event)
    else:
        _happen(sim, event)


def _happen(sim: Simulation, event: Event) -> None:
    sim.say(f"* {str(event)[9:]}")
    sim.canon.seen[f"fault: {event.what}"] += 1
    FAULTS[event.what](sim, event)


def _crash(sim: Simulation, event: Event) -> None:
    sim.crash(event.node, event.lasts)


def _pause(sim: Simulation, event: Event) -> None:
    _hold(sim, sim.machines[event.node], event.lasts)


def _hold(sim: Simulation, machine: Machine, lasts: float) -> None:
    if process := machine.process:
        process.hold("pause")
        sim.kernel.after(lasts, process.let_go, "pause")


def _in_the_step(sim: Simulation, event: Event, befalls: Callable[[Machine], None]) -> None:
    """At its next last look, or at its next bytes."""
    at = sim.in_the_look if event.number % 3 == 0 else sim.in_the_gap
    at[event.node] = befalls


def _pause_in_the_gap(sim: Simulation, event: Event) -> None:
    def befalls(machine: Machine) -> None:
        sim.say(f"{machine.agent} is paused in the middle of its step")
        _hold(sim, machine, event.lasts)

    _in_the_step(sim, event, befalls)


def _crash_in_the_gap(sim: Simulation, event: Event) -> None:
    def befalls(machine: Machine) -> None:
        sim.kernel.after(0.0, sim.crash, machine.node, event.lasts, "crash after a request was sent")

    sim.in_the_gap[event.node] = befalls


def _freeze(sim: Simulation, event: Event) -> None:
    _stand(sim, sim.machines[event.node], event.lasts, all_clocks=True)


def _stand(sim: Simulation, machine: Machine, lasts: float, *, all_clocks: bool) -> None:
    machine.stop_clocks(all_of_them=all_clocks)
    sim.kernel.after(lasts, machine.start_clocks)


def _freeze_in_the_gap(sim: Simulation, event: Event) -> None:
    def befalls(machine: Machine) -> None:
        sim.say(f"{machine.agent} is frozen in the middle of its step")
        _stand(sim, machine, event.lasts, all_clocks=event.number % 4 != 0)

    _in_the_step(sim, event, befalls)


def _suspend(sim: Simulation, event: Event) -> None:
    _stand(sim, sim.machines[event.node], event.lasts, all_clocks=False)


def _clock_step(sim: Simulation, event: Event) -> None:
    sim.machines[event.node].offset += event.number % 1_200 - 600


def _cut_from_log(sim: Simulation, event: Event) -> None:
    def over() -> None:
        sim.cut[event.node] -= 1

    sim.cut[event.node] += 1
    sim.kernel.after(event.lasts, over)


def _cut_from_world(sim: Simulation, event: Event) -> None:
    sim.world.cut.add(event.node)
    sim.kernel.after(event.lasts, sim.world.cut.discard, event.node)


def _cut_in_the_gap(sim: Simulation, event: Event) -> None:
    def befalls(machine: Machine) -> None:
        sim.say(f"{machine.agent}'s path is cut between its last look and the bytes")
        _cut_from_world(sim, event)

    sim.in_the_gap[event.node] = befalls


def _cut(sim: Simulation, event: Event) -> None:
    _cut_from_log(sim, event)
    _cut_from_world(sim, event)


def _log_down(sim: Simulation, event: Event) -> None:
    def over() -> None:
        sim.partition.down = False

    sim.partition.down = True
    sim.partition.serve()
    sim.kernel.after(event.lasts, over)


def _min_isr_lost(sim: Simulation, event: Event) -> None:
    def over() -> None:
        sim.partition.min_isr_lost = False

    sim.partition.min_isr_lost = True
    sim.kernel.after(event.lasts, over)


def _leader(sim: Simulation, event: Event) -> None:
    sim.partition.epoch += 1
    sim.partition.clock_off = float(event.number % 1_201 - 600) if event.number % 3 else 0.0


def _appends(fault: str) -> Callable[[Simulation, Event], None]:
    def happens(sim: Simulation, event: Event) -> None:
        delay = (event.number % 400) / 10
        sim.trouble[event.node] = (fault, 1_800.0 if fault == "late" and event.number % 7 == 0 else delay)
        sim.kernel.after(event.lasts, sim.trouble.pop, event.node, None)

    return happens


def _zombie(sim: Simulation, event: Event) -> None:
    """An old leader, which some agents still ask, shows what the log was; they learn of the new one late."""
    view = sim.partition.view
    _show(sim, event, View(list(view.records), view.start))
    sim.partition.epoch += 1


def _shorter(sim: Simulation, event: Event) -> None:
    """A new leader that has yet to catch up."""
    view = sim.partition.view
    least = view.whole(max(len(view.records) - 1 - event.number % 4, sim.partition.least))
    _show(sim, event, View(view.records[:least], view.start))


def _show(sim: Simulation, event: Event, view: View) -> None:
    nodes = [node for node in sim.machines if node == event.node or event.number >> node & 1]
    for node in nodes:
        sim.partition.old[node] = view

    def over() -> None:
        for node in nodes:
            if sim.partition.old.get(node) is view:
                del sim.partition.old[node]
        sim.partition.serve()

    sim.partition.serve()
    sim.kernel.after(event.lasts, over)


def _garbage(sim: Simulation, event: Event) -> None:
    random = Random(event.number)
    records = sim.partition.view.records
    raw = bytearray(records[random.randrange(len(records))].value) if records else bytearray(b"{}")
    for _ in range(random.randint(1, 3)):
        if raw:
            raw[random.randrange(len(raw))] = random.randrange(256)
    sim.partition.land(bytes(raw))
    sim.partition.land(random.randbytes(random.randrange(80)))


def _replayed(sim: Simulation, event: Event) -> None:
    records = sim.partition.view.records
    for back in range(1, 1 + event.number % 5):
        index = len(records) - 1 - (event.number // back) % max(len(records), 1)
        if 0 <= index < len(records) and records[index].value:
            sim.partition.land(records[index].value)


def _unreadable(sim: Simulation, event: Event) -> None:
    sim.partition.unreadable_batch(1 + event.number % 3)


def _tail_lost(sim: Simulation, event: Event) -> None:
    lost = sim.partition.lose_tail(1 + event.number % 14)
    sim.say(f"the last {lost} records are lost")


def _recreated(sim: Simulation, event: Event) -> None:
    """Deleted, made again, and born by a person (`control init --after`); agents end and are restarted."""
    old = sim.partition.topic_id
    pins = {unpack(machine.disk.value).log for machine in sim.machines.values()}
    pins |= {topic.state.log for topic in sim.topics.values()}  # which they may yet keep
    if not sim.canon.state.log or pins - {"", old}:  # who missed one must be told by a person
        return
    sim.partition.recreate()
    sim.kernel.after(1.0 + event.number % 3, people.bear, sim, old)
    for node in sim.machines:
        sim.kernel.after(3.0 + event.number % (3 + node), sim.crash, node, 0.5, "its log is another")


def _writes(name: str) -> Callable[[Simulation, Event], None]:
    def happens(sim: Simulation, event: Event) -> None:
        node = sim.world.nodes[event.node]
        slow = (1.0 + event.number % 5 * 0.45) * (1.0 if event.node else 1.5)  # stays below E
        value: object = slow if name == "slow" else True
        setattr(node, name, value)
        sim.kernel.after(event.lasts, setattr, node, name, type(value)())

    return happens


def _node_stops(sim: Simulation, event: Event) -> None:
    sim.world.stop(event.node)
    sim.kernel.after(event.lasts, sim.world.wake, event.node)


def _node_stops_on_arrival(sim: Simulation, event: Event) -> None:
    def stop() -> None:
        sim.say(f"node {event.node} stops soon after a request has reached it")
        sim.kernel.after(event.number % 4, _node_stops, sim, event)

    sim.world.stops_on_arrival[event.node] = stop


def _host_hangs(sim: Simulation, event: Event) -> None:
    """The broker stops with a request in its socket's buffer, and its agent is gone as long."""

    node = max(event.node, 1)

    def stop() -> None:
        sim.say(f"host {node} hangs with a request in its broker's buffer")
        sim.world.stop(node)
        sim.kernel.after(event.lasts, sim.world.wake, node)
        sim.kernel.after(0.0, sim.crash, node, event.lasts, "its host hangs")

    sim.world.stops_on_arrival[node] = stop


def _node_dies(sim: Simulation, event: Event) -> None:
    sim.world.restart(event.node)


def _disk_full(sim: Simulation, event: Event) -> None:
    disk = sim.machines[event.node].disk
    disk.full = True
    sim.kernel.after(event.lasts, setattr, disk, "full", False)


def _update(sim: Simulation, event: Event) -> None:
    sim.machines[event.node].fold_max = 2
    sim.crash(event.node, 0.5, "updated")


def _host_is_gone(sim: Simulation, event: Event) -> None:
    """It comes back only when the faults are over; where it befell it at work, they may be already."""
    sim.machines[event.node].wanted = sim.kernel.now >= sim.schedule.ends
    sim.crash(event.node, 1.0, "its host is gone")


def _undo_crashes(sim: Simulation, event: Event) -> None:
    """Whoever sends an undo dies of it."""
    sim.undo_crashes = True
    sim.kernel.after(event.lasts, setattr, sim, "undo_crashes", False)


# What mostly befalls an agent soon after its next effect has left.
AT_WORK = frozenset(
    {"crash", "pause", "cut", "cut from log", "cut from world", "freeze", "suspend", "host is gone"}
)
FAULTS: Mapping[str, Callable[[Simulation, Event], None]] = MappingProxyType(
    {
        "crash": _crash,
        "pause": _pause,
        "pause in the gap": _pause_in_the_gap,
        "crash in the gap": _crash_in_the_gap,
        "freeze": _freeze,
        "freeze in the gap": _freeze_in_the_gap,
        "suspend": _suspend,
        "clock step": _clock_step,
        "cut from log": _cut_from_log,
        "cut from world": _cut_from_world,
        "cut in the gap": _cut_in_the_gap,
        "cut": _cut,
        "log down": _log_down,
        "min ISR lost": _min_isr_lost,
        "leader": _leader,
        "appends lost": _appends("lost"),
        "appends unanswered": _appends("unanswered"),
        "appends late": _appends("late"),
        "appends twice": _appends("twice"),
        "zombie leader": _zombie,
        "shorter log": _shorter,
        "garbage": _garbage,
        "replayed": _replayed,
        "unreadable batch": _unreadable,
        "tail lost": _tail_lost,
        "topic re-created": _recreated,
        "writes lost": _writes("loses"),
        "writes slow": _writes("slow"),
        "writes unanswered": _writes("silent"),
        "node stops": _node_stops,
        "node stops on arrival": _node_stops_on_arrival,
        "node dies": _node_dies,
        "host hangs": _host_hangs,
        "disk full": _disk_full,
        "update": _update,
        "host is gone": _host_is_gone,
        "raise": people.raise_fold,
        "operator pauses": people.pause,
        "operator cuts a budget": people.cut_budget,
        "operator changes times": people.change_times,
        "operator resolves": people.resolve,
        "confusion": people.confusion,
        "undo crashes": _undo_crashes,
        **LATER_FAULTS,
    }
)
