"""What people order, each through some agent that is up, and what they do with their own hands."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from agent.control.bodies import FOLD
from agent.control.claims import DIRTY, ORPHAN, STUCK
from agent.control.orders import Senseless, body
from agent.control.records import Record, encode
from agent.control.times import genesis
from agent.control_topic import ControlTopic, ControlUnavailable, NotAccepted, Settings
from simulation.problems import BUDGETS
from simulation.schedules import Event
from simulation.simulation import Simulation

BY = {"reason": "simulated", "by": "ann"}


def _through(sim: Simulation, event: Event, t: str, x: Mapping[str, object]) -> None:
    """Written by the agent of `event.node`, or another one that is up."""
    nodes = sorted(sim.topics, key=lambda node: (node != event.node, node))
    nodes = [n for n in nodes if sim.topics[n].degraded is None and not _held(sim, n)]
    if not nodes:
        return
    node = nodes[0]
    process = sim.machines[node].process
    assert process
    process.loop.create_task(_write(sim, sim.topics[node], t, x))


def _held(sim: Simulation, node: int) -> bool:
    process = sim.machines[node].process
    return process is None or process.loop.stopped


async def _write(sim: Simulation, topic: ControlTopic, t: str, x: Mapping[str, object]) -> None:
    try:
        await topic._life.write(t, x)
    except (NotAccepted, ControlUnavailable) as error:
        sim.say(f"an operator is told: {error}")


def _expect(sim: Simulation, event: Event, thing: str) -> dict[str, object]:
    """As a person has it who looked a moment ago; now and then one who did not."""
    last = sim.canon.state.changes.get(thing, -1)
    return {**BY, "expect": last if event.number % 8 else last - 1 if last >= 0 else 5}


def pause(sim: Simulation, event: Event) -> None:
    """Everything, or one kind; resumed later, or it ends by itself."""
    selector = ("*", "*", "kind:throttle", "scope:x:topic/*")[event.number % 4]
    body = {"on": True, "selector": selector, "for": event.number % 3 * 4}
    _through(sim, event, "pause", {**_expect(sim, event, f"pause/{selector}"), **body})
    sim.kernel.after(event.lasts + 0.5, _resume, sim, event, selector)


def _resume(sim: Simulation, event: Event, selector: str) -> None:
    last = sim.canon.state.changes.get(f"pause/{selector}", -1)
    body = {"on": False, "selector": selector, "for": 0, "expect": last}
    _through(sim, event, "pause", {**BY, **body})


def race(sim: Simulation, event: Event) -> None:
    """Two people look at the same pause through agents of theirs, think for a while, and order: neither knows
    of the other."""
    random = Random(event.number)
    selector = random.choice(("*", "kind:throttle", "scope:x:topic/*"))
    nodes = [n for n in sorted(sim.topics) if sim.topics[n].degraded is None and not _held(sim, n)]
    for node in random.sample(nodes, min(2, len(nodes))):
        wanted = {"on": random.random() < 0.7, "selector": selector, "for": random.randint(1, 9)}
        _look(sim, node, wanted, 1.5 * random.random())


def _look(sim: Simulation, node: int, wanted: dict[str, object], thinks: float) -> None:
    """What a person sees there is what the order means to replace."""
    state, accepted = sim.topics[node].state, sim.canon.accepted
    try:
        order = body(state, "pause", wanted)
    except Senseless as error:
        return sim.say(f"a person sees that {error}")
    seen, reason = state.pauses.get(str(wanted["selector"])), f"order {len(accepted.saw) + 1}"
    accepted.saw[reason] = seen.reason if seen else ""
    event = Event(sim.kernel.now, "", node)
    return sim.kernel.after(thinks, _through, sim, event, "pause", {**BY, **order, "reason": reason})


def cut_budget(sim: Simulation, event: Event) -> None:
    """The cap is lowered, and raised again."""
    scope = ("throttle", "quota", "drain")[event.number % 3]
    _set(sim, event, scope, min(BUDGETS[scope].cap - 1, 1 - event.number % 5 // 4))
    sim.kernel.after(event.lasts + 0.5, _set, sim, event, scope, BUDGETS[scope].cap)


def _set(sim: Simulation, event: Event, scope: str, cap: int) -> None:
    budget = BUDGETS[scope]
    body = {"scope": scope, "cap": cap, "rate": budget.rate, "window": budget.window}
    _through(sim, event, "budget", {**_expect(sim, event, f"budget/{scope}"), **body})


def change_times(sim: Simulation, event: Event) -> None:
    """Shorter and longer, within what the rates of clocks allow; some of it is refused."""
    values = (
        {"w": 7_000},
        {"w": 6_000, "h": 4_500},
        {"h": 3_500, "cooldown": 31_000},
        {"w": 5_000},
        {"w": 9_000, "w_idle": 10_000, "h": 4_200},
        {"h": 4_000, "w": 6_000},
    )[event.number % 6]
    _through(sim, event, "params", {**_expect(sim, event, "params"), "values": values})


def raise_fold(sim: Simulation, event: Event) -> None:
    """The next version of the fold."""
    body = {"to": sim.canon.state.version + 1}
    _through(sim, event, "raise", {**_expect(sim, event, "raise"), **body})


def resolve(sim: Simulation, event: Event) -> None:
    """Somebody looks at what is stuck, or left by a host that is gone, and closes it."""
    for claim in sim.canon.state.claims.values():
        wanted = next((m.wanted for m in sim.machines.values() if m.host == claim.host), True)
        gone = claim.state is ORPHAN and not wanted
        if (claim.state is STUCK or gone) and not sim.world.flies(claim):
            for what in sim.world.remove_by_hand(claim):
                sim.say(f"a person removes {what}")
            _through(sim, event, "resolve", {**BY, "id": claim.id, "token": claim.token})


def confusion(sim: Simulation, _: Event) -> None:
    """An agent writes what it must not: releases and adoptions of others' claims, or with old tokens."""
    for claim in sim.canon.state.claims.values():
        held = {"id": claim.id, "token": claim.token}
        for node, topic in sorted(sim.topics.items()):
            process = sim.machines[node].process
            if process is None or process.loop.stopped or topic.degraded:
                continue
            if claim.state is DIRTY:
                token = claim.token - (claim.holder == topic._agent)
                release = {**held, "token": max(token, 0), "outcome": "done"}
                process.loop.create_task(_write(sim, topic, "release", release))
            elif claim.state is ORPHAN and claim.host not in ("", sim.machines[node].host):
                process.loop.create_task(_write(sim, topic, "adopt", held))


def look_after_what_is_left(sim: Simulation) -> None:
    """What only a person can do, when all else is over: close what is stuck, give budgets back, resume."""
    event = Event(sim.kernel.now, "", 1, 0.0, 1)
    if any(claim.state is STUCK for claim in sim.canon.state.claims.values()):
        resolve(sim, event)
    for scope, budget in sorted(BUDGETS.items()):
        if scope in sim.canon.state.budgets and sim.canon.state.budgets[scope].cap < budget.cap:
            _set(sim, event, scope, budget.cap)
    for selector, pause_ in sorted(sim.canon.state.pauses.items()):
        if pause_.on and not pause_.until:
            _resume(sim, event, selector)


def bear(sim: Simulation, after: str) -> None:
    """`ottla control init --after`: the genesis of a topic that was made again."""
    if sim.canon.state.log:
        return
    settings = Settings("broker-1", "host1", times=sim.times, budgets=BUDGETS, cluster="simulated")
    state, log = sim.canon.state, sim.partition.topic_id
    record = Record(
        "genesis", FOLD, log, "broker-1", -1, 0, state.offset, state.digest, genesis(log, settings, after)
    )
    sim.partition.land(encode(record))
