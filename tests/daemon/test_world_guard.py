"""The world guard of the last look (coordination.md section 4, rule 4): what stands in the cluster counts,
though the log knows no claim of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fenced_cluster import TIMES, boot_ms
from fenced_fleet import RATE, SET, Fleet, play
from written_throttle import Clear, claims, written_down

from agent.actions import Ports, spec
from agent.actions.clear_leftover_throttle import ClearLeftoverThrottle
from agent.actions.drain_disk import DrainDisk
from agent.actions.throttle_replication import ThrottleReplication
from agent.actions.throttles import LEADER_RATE, MOVE_RATE, UNLIMITED
from agent.daemon.carry import Carrier
from agent.daemon.evidence import Evidence
from agent.daemon.world_guard import ASK_S, elsewhere
from agent.history import Phase
from agent.journal import JournalFailed

SPEC = spec(ThrottleReplication)
SIGN = SPEC.sign


async def begins(fleet: Fleet) -> Carrier:
    """Agent 1's carrier, until its throttle stands or was refused."""
    carrier = await written_down(fleet, Clear())
    carrying = asyncio.ensure_future(carrier.carry())
    async with asyncio.timeout(60):
        while carrier.incident.phase is Phase.ACTING:
            await asyncio.sleep(0.1)
    if carrier.incident.phase is Phase.REFUSED:
        await carrying
    carrying.cancel()
    await asyncio.gather(carrying, return_exceptions=True)
    return carrier


def throttled(fleet: Fleet, *nodes: int, key: str = RATE.key, value: str = "5000000") -> None:
    """Set by whom no claim tells of."""
    for node in nodes:
        fleet.cluster.values[f"broker/{node}"] = {key: value}


def test_three_that_no_claim_tells_of_fill_the_cap() -> None:
    """The topic was made again, and their agents are away for longer than the cool-down."""

    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4, 5)
        throttled(fleet, 6, key=LEADER_RATE)
        before = {where: dict(values) for where, values in fleet.cluster.values.items()}
        one = (await begins(fleet)).incident
        words = "brokers 4, 5 and 6 have a replication throttle already, and throttle allows 3"
        assert (one.phase, one.question) == (Phase.REFUSED, "the instant of effect")
        assert one.reason == f"the world guard: {words}"
        assert (fleet.cluster.writes, fleet.cluster.values) == (0, before)
        assert fleet.agents[1].control.end_of(fleet.claim) == "undone"

    play(story)


def test_who_was_refused_while_it_could_not_be_written_was_refused() -> None:
    """It was told as failed, found after a restart, and counted as a start; and its claim was held for E.
    Whatever a person ordered meanwhile."""

    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4, 5, 6)
        carrier = await written_down(fleet, Clear())
        one: Any = fleet.agents[1]
        evidence, journal = Evidence(one, carrier.incident.id), one.ledger._journal
        first, again = (Carrier(one, carrier.incident.id, evidence) for _ in range(2))
        journal.full = True
        with pytest.raises(JournalFailed):
            await first.carry()
        journal.full, fleet.cluster.values = False, {}  # there is room by now
        again.ask_undo("undone by ann")
        begun = boot_ms()
        await again.carry(resumed=True)
        assert boot_ms() - begun < TIMES.act
        assert (again.incident.phase, again.incident.question) == (Phase.REFUSED, "the instant of effect")
        assert again.incident.reason.startswith("the world guard: brokers 4, 5 and 6 have")
        assert (one.ledger.history.starts, one.ledger.history.unverified) == ((), 0)
        assert (fleet.cluster.writes, fleet.agents[1].control.end_of(fleet.claim)) == (0, "undone")

    play(story)


def test_where_there_is_room_it_begins() -> None:
    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4, 5)
        throttled(fleet, 6, value=UNLIMITED)
        throttled(fleet, 2, key=MOVE_RATE)
        assert (await begins(fleet)).incident.reason == "the effect stands"
        assert fleet.cluster.values["broker/1"] == SET["broker/1"]

    play(story)


@pytest.mark.parametrize("broker", [2, 4])
def test_what_shows_and_is_claimed_counts_once(broker: int) -> None:
    """Also where who told the log of it is another broker's agent."""

    async def story(fleet: Fleet) -> None:
        await claims(fleet.agents[2], broker)
        throttled(fleet, 5, broker)
        assert (await begins(fleet)).incident.reason == "the effect stands"

    play(story)


def test_what_is_claimed_counts_before_it_shows() -> None:
    """Its request may be on its way."""

    async def story(fleet: Fleet) -> None:
        await claims(fleet.agents[3], 3)
        throttled(fleet, 4, 5)
        words = "brokers 4 and 5 have a replication throttle already, broker 3 may by claims of the log"
        assert (await begins(fleet)).incident.reason == f"the world guard: {words}, and throttle allows 3"

    play(story)


def test_a_claim_whose_scope_names_no_broker_counts_as_its_agents() -> None:
    """A later release's, or forged: it kept every other throttle from beginning."""

    async def story(fleet: Fleet) -> None:
        await claims(fleet.agents[3], "x")
        throttled(fleet, 3, 5)
        assert (await begins(fleet)).incident.reason == "the effect stands"

    play(story)


def test_the_cap_is_the_one_in_force() -> None:
    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4)
        cap = {"scope": "throttle", "cap": 1, "rate": 0, "window": 0, "reason": "r", "by": "p", "expect": -1}
        await fleet.agents[2].control.order("budget", cap)
        words = "broker 4 has a replication throttle already, and throttle allows 1"
        assert (await begins(fleet)).incident.reason == f"the world guard: {words}"

    play(story)


@pytest.mark.parametrize("how", ["dead", "hung"])
def test_who_does_not_answer_is_not_seen_and_told(how: str) -> None:
    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4, 5, 6)
        getattr(fleet.cluster, how).add(6)
        begun = boot_ms()
        one = (await begins(fleet)).incident
        assert one.reason == "the effect stands; the world guard: broker 6 does not answer"
        assert boot_ms() - begun < ASK_S * 1_000 + 1_000

    play(story)


def test_who_does_not_answer_is_told_beside_those_that_fill_the_cap() -> None:
    async def story(fleet: Fleet) -> None:
        throttled(fleet, 2, 3, 4)
        fleet.cluster.dead |= {5, 6}
        told = (await begins(fleet)).incident.reason
        assert told.endswith("and throttle allows 3 (brokers 5 and 6 do not answer)")

    play(story)


def test_a_dead_broker_s_throttle_limits_nobody() -> None:
    async def story(fleet: Fleet) -> None:
        fleet.cluster.fenced.add(6)
        throttled(fleet, 5, 6)
        seen = await elsewhere(ports_of(fleet), SIGN)
        assert seen is not None
        assert (seen.shown, seen.silent) == (frozenset({5}), "")

    play(story)


def test_the_default_of_all_brokers_throttles_each_that_has_no_rate() -> None:
    """As `kafka-configs.sh --entity-default` sets it."""

    async def story(fleet: Fleet) -> None:
        fleet.cluster.values["broker/"] = {RATE.key: "5000000"}
        throttled(fleet, 5, value=UNLIMITED)
        throttled(fleet, 6, value="7")
        seen = await elsewhere(ports_of(fleet), SIGN)
        assert seen is not None
        assert (seen.shown, seen.silent) == (frozenset({2, 3, 4, 6}), "")

        fleet.cluster.dead |= {None, 4}
        seen = await elsewhere(ports_of(fleet), SIGN)
        assert seen is not None
        assert seen.shown == {6}
        assert seen.silent == "broker 4 does not answer, and nobody says what is set for all brokers"

    play(story)


def test_where_nobody_says_which_brokers_there_are_none_is_seen() -> None:
    async def story(fleet: Fleet) -> None:
        throttled(fleet, 5)
        fleet.cluster.unlisted = True
        seen = await elsewhere(ports_of(fleet), SIGN)
        assert seen is not None
        assert (seen.shown, seen.silent) == (frozenset(), "nobody says which brokers there are")

    play(story)


def test_what_shows_nothing_asks_nobody() -> None:
    """What was cleared cannot be seen, and leftovers that fill the cap must not keep each other in place."""

    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4, 5, 6)
        assert await elsewhere(ports_of(fleet), spec(ClearLeftoverThrottle).sign) is None

    play(story)


def test_a_drain_shows_by_its_limit() -> None:
    async def story(fleet: Fleet) -> None:
        throttled(fleet, 4)
        throttled(fleet, 1, 5, key=MOVE_RATE)
        seen = await elsewhere(ports_of(fleet), spec(DrainDisk).sign)
        assert seen is not None
        assert seen.shown == {5}

    play(story)


def ports_of(fleet: Fleet) -> Ports:
    """Agent 1's."""
    return fleet.agents[1].ports
