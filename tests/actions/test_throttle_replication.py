"""Throttling what catches up: a narrow list, a rate that still lets it catch up, exact undo."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_world import NODE, MiB, World, crashes, partition, run
from hypothesis import given
from hypothesis import strategies as st

from agent.actions.lagging import Flow, furthest_behind, lagging, need
from agent.actions.throttle_replication import ThrottleReplication
from agent.actions.throttles import FOLLOWER_LIST, FOLLOWER_RATE, LEADER_LIST, LEADER_RATE, UNLIMITED, entries
from agent.kafka.configs import ConfigChange
from agent.model import Effect, Operation, Refusal, Settle
from agent.quantities import BytesPerSecond
from agent.rehearsal.disks import Volume

BROKER = f"broker/{NODE}"
THROTTLE = ThrottleReplication()


def catching_up() -> World:
    """Broker 2 is behind of orders-0 (1 MiB/s come in) and log-0 (none); 3 is behind of 2 in pay-0."""
    return World(
        volumes={"/d1": Volume(1000 * MiB)},
        infos=[
            partition("orders", 0, leader=1, isr=[1, 3]),
            partition("orders", 1, leader=1, isr=[1, 2, 3]),
            partition("log", 0, leader=3, isr=[3, 1]),
            partition("pay", 0, leader=2, isr=[1, 2]),
            partition("pay", 1, leader=2, isr=[1, 2, 3]),
        ],
        elsewhere={1: {("orders", 0): 100 * MiB}, 3: {("log", 0): 10 * MiB}},
        replicas={
            ("orders", 0): ("/d1", 20 * MiB),
            ("log", 0): ("/d1", 9 * MiB),
            ("pay", 0): ("/d1", 5 * MiB),
        },
        produced={("orders", 0): MiB},
    )


async def plan(world: World, rate: int = 4 * MiB, topics_max: int = 20) -> Effect | Refusal:
    return await THROTTLE.plan(world.ports(), target="2", rate=BytesPerSecond(rate), topics_max=topics_max)


async def planned(world: World, rate: int = 4 * MiB, topics_max: int = 20) -> Effect:
    effect = await plan(world, rate, topics_max)
    assert isinstance(effect, Effect), effect
    return effect


def summary(effect: Effect) -> list[tuple[str, str, str | None]]:
    return [(c.resource, c.key, c.new) for c in effect.changes]


async def test_only_what_is_out_of_sync_is_listed() -> None:
    effect = await planned(catching_up())

    assert summary(effect) == [
        ("topic/log", FOLLOWER_LIST, "0:2"),
        ("topic/orders", FOLLOWER_LIST, "0:2"),
        ("topic/pay", LEADER_LIST, "0:2"),
        (BROKER, FOLLOWER_RATE, str(4 * MiB)),
        (BROKER, LEADER_RATE, str(4 * MiB)),
    ]
    assert THROTTLE.scopes(effect) == (
        "throttle",
        "x:broker/2",
        "x:topic/log",
        "x:topic/orders",
        "x:topic/pay",
    )


async def test_what_stands_in_a_list_stays() -> None:
    """Others' entries are part of the prior, and one for us that is there already is not ours to remove."""
    world = catching_up()
    world.values["topic/orders"] = {FOLLOWER_LIST: "5:3,0:2"}
    world.values["topic/log"] = {FOLLOWER_LIST: "5:3"}

    changes = [c for c in (await planned(world)).changes if c.key == FOLLOWER_LIST]

    assert [(c.resource, c.operation, c.prior, c.new) for c in changes] == [
        ("topic/log", Operation.APPEND, "5:3", "0:2")
    ]


async def test_the_rate_is_raised_to_what_catching_up_needs() -> None:
    """1 MiB/s is produced into orders-0: one and a half times that is the least."""
    effect = await planned(catching_up(), rate=1 * MiB)

    rates = {c.key: int(c.new or 0) for c in effect.changes if c.resource == BROKER}
    assert rates[FOLLOWER_RATE] == pytest.approx(1.5 * MiB, rel=0.01)
    assert rates[LEADER_RATE] == MiB


async def test_a_leaders_rate_counts_every_follower() -> None:
    """1 MiB/s into pay-0 goes out twice, to the follower that is in sync too."""
    world = catching_up()
    world.produced = {("pay", 0): MiB}

    effect = await planned(world, rate=2 * MiB)

    rates = {c.key: int(c.new or 0) for c in effect.changes if c.resource == BROKER}
    assert rates[LEADER_RATE] == pytest.approx(3 * MiB, rel=0.01)


async def test_a_deleted_segment_does_not_hide_what_is_produced() -> None:
    """Sizes fall when retention deletes; another interval shows the growth."""
    world = catching_up()

    def retention(world: World) -> None:
        if world.now == 1_002_000:
            world.elsewhere[1][("orders", 0)] -= 50 * MiB

    world.every_tick = retention
    effect = await planned(world, rate=1 * MiB)

    assert int(effect.changes[-2].new or 0) == pytest.approx(1.5 * MiB, rel=0.01)


async def test_the_topics_furthest_behind_come_first() -> None:
    effect = await planned(catching_up(), topics_max=1)

    assert summary(effect)[0] == ("topic/orders", FOLLOWER_LIST, "0:2")
    assert len(effect.changes) == 2


async def test_never_more_than_twenty_topics() -> None:
    world = catching_up()
    world.infos = [partition(f"t{n}", 0, leader=1, isr=[1, 3]) for n in range(50)]

    assert len(THROTTLE.scopes(await planned(world, topics_max=50))) == 2 + 20


def in_sync(world: World) -> None:
    world.infos = [partition("a", 0, leader=1, isr=[1, 2, 3])]


def dead_follower(world: World) -> None:
    """Nothing flows to a dead broker, so nothing is to be throttled."""
    world.infos = [partition("pay", 0, leader=2, isr=[1, 2])]
    world.nodes[3] = True


def under_min_isr(world: World) -> None:
    world.values["topic/orders"] = {"min.insync.replicas": "3"}


def min_isr_by_default(world: World) -> None:
    world.defaults["topic/pay"] = {"min.insync.replicas": "3"}


def standing_rate(world: World) -> None:
    world.values[BROKER] = {LEADER_RATE: "1000"}


def standing_default(world: World) -> None:
    world.defaults[BROKER] = {FOLLOWER_RATE: "1000"}


def everything_listed(world: World) -> None:
    world.values["topic/pay"] = {FOLLOWER_LIST: "*"}


def in_sync_listed(world: World) -> None:
    """A rate would bind it, and its steady traffic would use the rate up."""
    world.values["topic/orders"] = {FOLLOWER_LIST: "1:2"}


def reassigned(world: World) -> None:
    world.reassigning = {("orders", 1)}


def flooded(world: World) -> None:
    world.produced = {("orders", 0): 50 * MiB}


REFUSED: list[tuple[Callable[[World], None], str, str]] = [
    (in_sync, "preconditions", "every replica of this broker"),
    (dead_follower, "preconditions", "every living follower of it, is in sync"),
    (under_min_isr, "preconditions", "orders-0 has 2 replicas in sync and needs 3: its followers need speed"),
    (min_isr_by_default, "preconditions", "pay-0 has 2 replicas in sync and needs 3"),
    (standing_rate, "coexistence", f"{LEADER_RATE} is 1000 on this broker already"),
    (standing_default, "coexistence", f"{FOLLOWER_RATE} is 1000 on this broker already"),
    (everything_listed, "coexistence", f"{FOLLOWER_LIST} of topic pay is *, set by another"),
    (in_sync_listed, "coexistence", f"{FOLLOWER_LIST} of topic orders holds 1:2, set by another"),
    (reassigned, "coexistence", "1 partitions are being reassigned, orders-1 first"),
    (flooded, "preconditions", f"{FOLLOWER_RATE} must be 75 MiB/s at least to keep up"),
]


@pytest.mark.parametrize(("change", "question", "words"), REFUSED, ids=lambda v: getattr(v, "__name__", None))
async def test_refused_with_words(change: Callable[[World], None], question: str, words: str) -> None:
    world = catching_up()
    change(world)

    refusal = await plan(world)

    assert isinstance(refusal, Refusal)
    assert refusal.question == question
    assert words in refusal.reason


async def test_kafkas_own_default_is_no_throttle() -> None:
    world = catching_up()
    world.defaults[BROKER] = {LEADER_RATE: UNLIMITED}

    await planned(world)


async def test_a_throttle_that_was_lifted_by_hand_is_put_back_so() -> None:
    """Somebody set Kafka's own default: that is the prior, and no throttle."""
    world = catching_up()
    world.values[BROKER] = {FOLLOWER_RATE: UNLIMITED}
    before = world.settings()
    effect = await planned(world)

    await THROTTLE.apply(effect, world.ports())
    assert world.settings()[BROKER] == {FOLLOWER_RATE: str(4 * MiB), LEADER_RATE: str(4 * MiB)}
    await THROTTLE.undo(effect, world.ports())

    assert world.settings() == before


async def test_another_broker_is_not_ours_to_throttle() -> None:
    refusal = await THROTTLE.plan(World().ports(), target="3", rate=BytesPerSecond(1))

    assert refusal == Refusal("preconditions", "the target is broker 3, and this agent heals broker 2")


@given(st.booleans(), st.integers(1, 20), st.booleans())
def test_a_crash_while_setting_or_undoing_leaves_nothing_after_settling(
    undoing: bool, at: int, after: bool
) -> None:
    """Half a throttle is undone; a whole one stands to the end of its lease; then all is as it was."""
    world = catching_up()
    world.values["topic/orders"] = {FOLLOWER_LIST: "5:3"}
    world.values["topic/log"] = {FOLLOWER_LIST: ""}
    before = world.settings()
    effect = run(planned(world))
    if undoing:
        run(THROTTLE.apply(effect, world.ports()))
    world.crash_at, world.crash_after = world.steps + at, after
    crashes(THROTTLE.undo(effect, world.ports()) if undoing else THROTTLE.apply(effect, world.ports()))
    world.revive()

    seen = run(THROTTLE.observe(effect, world.ports()))
    settle = THROTTLE.settle(effect, seen)
    assert settle is not Settle.APPLY
    assert (settle is Settle.DONE) == (seen.ours == effect.changes)
    assert (settle is Settle.GONE) == (seen.ours == ())
    run(THROTTLE.undo(effect, world.ports()))  # after GONE too: the key of an emptied list may be left

    assert world.settings() == before


async def test_an_operators_own_rate_is_left_and_the_rest_undone() -> None:
    world = catching_up()
    effect = await planned(world)
    await THROTTLE.apply(effect, world.ports())
    world.set_config(ConfigChange(BROKER, FOLLOWER_RATE, "set", "777"))
    world.set_config(ConfigChange("topic/orders", FOLLOWER_LIST, "append", "1:3"))

    assert THROTTLE.settle(effect, await THROTTLE.observe(effect, world.ports())) is Settle.DONE
    seen = await THROTTLE.undo(effect, world.ports())

    assert [(c.key, value) for c, value in seen.theirs] == [(FOLLOWER_RATE, "777")]
    assert world.settings() == {BROKER: {FOLLOWER_RATE: "777"}, "topic/orders": {FOLLOWER_LIST: "1:3"}}


async def test_a_reassignment_that_began_meanwhile_keeps_its_own_throttle() -> None:
    """Its tool has set the rates and the lists: entries of what it moves are its own, as ours were before."""
    world = catching_up()
    effect = await planned(world)
    await THROTTLE.apply(effect, world.ports())
    theirs = {
        BROKER: {FOLLOWER_RATE: "50000000", LEADER_RATE: "50000000"},
        "topic/pay": {LEADER_LIST: "0:1,0:2", FOLLOWER_LIST: "0:4"},
        "topic/orders": {LEADER_LIST: "0:1,0:3", FOLLOWER_LIST: "0:2"},
    }
    for resource, values in theirs.items():
        for key, value in values.items():
            world.set_config(ConfigChange(resource, key, "set", value))
    world.reassigning = {("pay", 0), ("orders", 0)}

    seen = await THROTTLE.undo(effect, world.ports())

    assert world.settings() == theirs, "log-0 is nobody's any more"
    assert {(c.resource, c.key, value) for c, value in seen.theirs} == {
        (BROKER, FOLLOWER_RATE, "50000000"),
        (BROKER, LEADER_RATE, "50000000"),
        ("topic/orders", FOLLOWER_LIST, "0:2"),
        ("topic/pay", LEADER_LIST, "0:1,0:2"),
    }
    assert seen.ours == ()


async def test_of_one_list_what_no_reassignment_moves_is_taken_out() -> None:
    """And a side whose rate is ours is undone as ever."""
    world = catching_up()
    world.infos.append(partition("orders", 2, leader=1, isr=[1, 3]))
    world.elsewhere[1]["orders", 2] = 5 * MiB
    world.replicas["orders", 2] = ("/d1", MiB)
    effect = await planned(world)
    await THROTTLE.apply(effect, world.ports())
    world.set_config(ConfigChange(BROKER, FOLLOWER_RATE, "set", "777"))
    world.reassigning = {("orders", 2), ("pay", 0)}

    seen = await THROTTLE.undo(effect, world.ports())

    assert world.settings() == {BROKER: {FOLLOWER_RATE: "777"}, "topic/orders": {FOLLOWER_LIST: "2:2"}}
    assert [(c.key, value) for c, value in seen.theirs] == [(FOLLOWER_LIST, "2:2"), (FOLLOWER_RATE, "777")]


numbers = st.integers(0, 3)
isrs = st.sets(st.sampled_from([1, 2, 3]), min_size=1)


@given(st.lists(st.tuples(st.sampled_from("abc"), numbers, st.sampled_from([-1, 1, 2, 3]), isrs)))
def test_no_partition_in_sync_is_ever_listed(rows: list[tuple[str, int, int, set[int]]]) -> None:
    """Nor one without a leader; and none is on both sides."""
    infos = {(t, p): partition(t, p, leader, sorted(isr | {leader} - {-1})) for t, p, leader, isr in rows}
    found = lagging(infos.values(), NODE, {1, 2})

    for one in found.follows:
        assert NODE not in one.isr
        assert one.leader not in (-1, NODE)
    for one in found.leads:
        assert one.leader == NODE
        assert {1} - set(one.isr)
    assert not set(found.follows) & set(found.leads)
    flow = Flow({}, {})
    assert set(furthest_behind(found, flow, 99)) == set(found.topics())
    assert need(found, flow) == (0, 0)


def test_entries_are_read_as_kafka_writes_them() -> None:
    assert entries(" 0:1, 1:2,") == ("0:1", "1:2")
    assert entries("") == entries(None) == ()
