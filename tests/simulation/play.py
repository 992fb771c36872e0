"""Plays a schedule to its end, and says what came of it."""

from __future__ import annotations

from collections import Counter

from simulation import daemon_faults, faults
from simulation.daemon_simulation import DaemonSimulation
from simulation.invariants import Violation
from simulation.people import look_after_what_is_left
from simulation.schedules import Schedule
from simulation.shared_folds import folds_shared
from simulation.simulation import PATIENCE, STEP, Result, Simulation

MOVED_ON = 8.0  # seconds in which who wrote a record that is kept has written the next one


def play(schedule: Schedule) -> Result:
    """The same schedule gives the same result, to the last byte."""
    simulation = DaemonSimulation(schedule) if schedule.daemon else Simulation(schedule)
    befall = daemon_faults.befall if schedule.daemon else faults.befall
    for node in simulation.machines:
        simulation.start(node, 0.3 * simulation.random.random())
    for event in schedule.events:
        simulation.kernel.at(event.at, befall, simulation, event)
    violation = None
    try:
        with folds_shared():
            _go_on(simulation)
    except (Violation, AssertionError) as broken:
        violation = str(broken)
        simulation.say(violation)
    for machine in simulation.machines.values():
        machine.kill()
    seen: Counter[str] = simulation.canon.seen
    return Result(
        schedule,
        violation,
        seen,
        simulation.invariants.excused,
        simulation.kernel.now,
        tuple(simulation.trace),
    )


def _go_on(simulation: Simulation) -> None:
    kernel, ends = simulation.kernel, simulation.schedule.ends
    while kernel.now < ends:
        kernel.run(kernel.now + STEP)
        simulation.check()
    simulation.heal()
    _finish(simulation)
    if simulation.partition.kept:
        _land_what_is_kept(simulation)
    for topic in simulation.topics.values():
        simulation.invariants.same(topic._agent, topic.state)


def _finish(simulation: Simulation) -> None:
    kernel = simulation.kernel
    until = kernel.now + PATIENCE
    while (left := simulation.left()) is not None:
        if kernel.now >= until:
            raise Violation(left)
        look_after_what_is_left(simulation)
        kernel.run(kernel.now + STEP)
        simulation.check()


def _land_what_is_kept(simulation: Simulation) -> None:
    """Records that were kept for half an hour come long after all is over, which need not be waited for: they
    change nothing, and nothing begins."""
    partition, canon = simulation.partition, simulation.canon
    simulation.kernel.run(simulation.kernel.now + MOVED_ON)
    begun = canon.seen["effects"]
    for kept in list(partition.kept):
        if partition.land_kept(kept):
            canon.seen["half an hour late"] += 1
            if not canon.void:
                raise Violation(f"I2: half an hour late, and not void: {canon.told}")
    simulation.behind.clear()
    _finish(simulation)
    if canon.seen["effects"] != begun:
        raise Violation("I2: an effect begins after records that were half an hour late")
