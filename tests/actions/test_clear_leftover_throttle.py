"""Clearing leftovers: only what is recorded as ours or named by a rule, only this broker's part."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_world import NODE, MiB, World, crashes, partition, run
from hypothesis import given
from hypothesis import strategies as st

from agent.actions.clear_leftover_throttle import ClearLeftoverThrottle
from agent.actions.throttles import (
    FOLLOWER_LIST,
    FOLLOWER_RATE,
    LEADER_LIST,
    LEADER_RATE,
    MOVE_RATE,
    UNLIMITED,
)
from agent.kafka.configs import ConfigChange
from agent.model import Effect, Operation, Refusal, Settle
from agent.quantities import BytesPerSecond
from agent.rehearsal.disks import Future, Volume

BROKER = f"broker/{NODE}"
CLEAR = ClearLeftoverThrottle()


def left_over() -> World:
    """Both rates stand; orders lists replicas of brokers 2 and 3, pay only of 2, log everything."""
    return World(
        volumes={"/d1": Volume(100 * MiB), "/d2": Volume(100 * MiB)},
        infos=[partition(t, 0, leader=1, isr=[1, 3]) for t in ("orders", "pay", "log")],
        values={
            BROKER: {FOLLOWER_RATE: "1000", LEADER_RATE: "2000", "log.retention.ms": "5"},
            "topic/orders": {FOLLOWER_LIST: "0:2,0:3", LEADER_LIST: "0:2"},
            "topic/pay": {FOLLOWER_LIST: "0:2", "retention.ms": "7"},
            "topic/log": {FOLLOWER_LIST: "*"},
        },
    )


async def plan(world: World, keys: tuple[str, ...] = (), up_to: int = 10_000) -> Effect | Refusal:
    return await CLEAR.plan(world.ports(), target="2", keys=keys, up_to=BytesPerSecond(up_to))


async def planned(world: World, keys: tuple[str, ...] = (), up_to: int = 10_000) -> Effect:
    effect = await plan(world, keys, up_to)
    assert isinstance(effect, Effect), effect
    return effect


def summary(effect: Effect) -> list[tuple[str, str, Operation, str | None]]:
    return [(c.resource, c.key, c.operation, c.new) for c in effect.changes]


async def test_what_the_journal_recorded_is_removed_and_nothing_else() -> None:
    """The follower rate is ours to the value, the leader rate is not."""
    world = left_over()
    world.recorded = {(BROKER, FOLLOWER_RATE, "1000"), (BROKER, LEADER_RATE, "1999")}

    effect = await planned(world)

    assert summary(effect) == [
        (BROKER, FOLLOWER_RATE, Operation.DELETE, None),
        ("topic/orders", FOLLOWER_LIST, Operation.SUBTRACT, "0:2"),
        ("topic/pay", FOLLOWER_LIST, Operation.SUBTRACT, "0:2"),
    ]
    assert CLEAR.scopes(effect) == ("throttle", "x:broker/2", "x:topic/orders", "x:topic/pay")
    await CLEAR.apply(effect, world.ports())
    assert world.settings() == {
        BROKER: {LEADER_RATE: "2000", "log.retention.ms": "5"},
        "topic/orders": {FOLLOWER_LIST: "0:3", LEADER_LIST: "0:2"},
        "topic/pay": {"retention.ms": "7"},
        "topic/log": {FOLLOWER_LIST: "*"},
    }


async def test_what_a_rule_names_is_removed_up_to_its_bound() -> None:
    effect = await planned(left_over(), keys=(FOLLOWER_RATE, LEADER_RATE), up_to=1_999)

    assert [c.key for c in effect.changes if c.resource == BROKER] == [FOLLOWER_RATE]


async def test_a_list_of_everything_goes_only_if_named() -> None:
    named = await planned(left_over(), keys=(FOLLOWER_RATE, FOLLOWER_LIST))

    assert ("topic/log", FOLLOWER_LIST, Operation.DELETE, None) in summary(named)


async def test_a_list_of_everything_stays_while_another_broker_has_a_rate() -> None:
    world = left_over()
    world.values["broker/3"] = {FOLLOWER_RATE: "9"}

    effect = await planned(world, keys=(FOLLOWER_RATE, FOLLOWER_LIST))

    assert "topic/log" not in {c.resource for c in effect.changes}


async def test_a_rate_that_another_broker_has_lifted_keeps_no_list() -> None:
    world = left_over()
    world.values["broker/3"] = {FOLLOWER_RATE: UNLIMITED}

    effect = await planned(world, keys=(FOLLOWER_RATE, FOLLOWER_LIST))

    assert ("topic/log", FOLLOWER_LIST, Operation.DELETE, None) in summary(effect)


async def test_a_named_list_stays_while_somebodys_rate_needs_it() -> None:
    refusal = await plan(left_over(), keys=(FOLLOWER_LIST,))

    assert isinstance(refusal, Refusal)
    assert f"{FOLLOWER_RATE} is 1000: not recorded as this agent's, not named by the rule" in refusal.reason


async def test_the_refusal_says_whose_it_may_be() -> None:
    refusal = await plan(left_over(), keys=(FOLLOWER_RATE,), up_to=0)

    assert isinstance(refusal, Refusal)
    assert refusal.question == "coexistence"
    assert (
        "named by the rule, but only up to 0; it may be of a reassignment's tool or an operator"
        in refusal.reason
    )


async def test_what_is_set_for_all_brokers_is_not_one_brokers_to_remove() -> None:
    """Not even where the rule names it; the refusal tells a person of it, unless it is lifted here."""
    world = left_over()
    world.values = {"broker/": {FOLLOWER_RATE: "1000"}}
    refusal = await plan(world, keys=(FOLLOWER_RATE,))
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(f"{FOLLOWER_RATE} is 1000 as the default of all brokers")

    world.values[BROKER] = {FOLLOWER_RATE: UNLIMITED}
    refusal = await plan(world, keys=(FOLLOWER_RATE,))
    assert isinstance(refusal, Refusal)
    assert refusal.question == "preconditions"


async def test_what_hides_a_limit_of_all_brokers_stays() -> None:
    """Without it that one is in force: a thousand times tighter here. One of another key changes nothing."""
    world = left_over()
    world.values[BROKER] = {FOLLOWER_RATE: "1000000"}
    world.values["broker/"] = {FOLLOWER_RATE: "1000"}
    refusal = await plan(world, keys=(FOLLOWER_RATE,), up_to=MiB)
    assert isinstance(refusal, Refusal)
    assert refusal.question == "coexistence"
    assert refusal.reason.startswith(f"{FOLLOWER_RATE} is 1000 as the default of all brokers")

    world.values["broker/"] = {FOLLOWER_RATE: UNLIMITED, LEADER_RATE: "1000"}
    effect = await planned(world, keys=(FOLLOWER_RATE,), up_to=MiB)
    assert summary(effect)[0] == (BROKER, FOLLOWER_RATE, Operation.DELETE, None)


async def test_a_list_of_everything_stays_while_all_brokers_have_a_rate() -> None:
    """By the default of all."""
    world = left_over()
    del world.values[BROKER][FOLLOWER_RATE]
    world.values["broker/"] = {FOLLOWER_RATE: "9"}

    effect = await planned(world, keys=(FOLLOWER_RATE, FOLLOWER_LIST))

    assert "topic/log" not in {c.resource for c in effect.changes}


def nothing_set(world: World) -> None:
    world.values = {}


def reassigned(world: World) -> None:
    world.reassigning = {("pay", 0)}


def moving(world: World) -> None:
    world.replicas = {("pay", 0): ("/d1", MiB)}
    world.futures = {("pay", 0): Future("/d2")}


REFUSED: list[tuple[Callable[[World], None], str]] = [
    (nothing_set, "no throttle that may be removed stands on broker/2"),
    (reassigned, "1 partitions are being reassigned, pay-0 first: it may need it"),
    (moving, "pay-0 is being moved between log dirs: it may need it"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=lambda v: getattr(v, "__name__", None))
async def test_refused_with_words(change: Callable[[World], None], words: str) -> None:
    world = left_over()
    change(world)

    refusal = await plan(world, keys=(FOLLOWER_RATE, MOVE_RATE))

    assert isinstance(refusal, Refusal)
    assert refusal.reason == words


async def test_a_key_that_is_no_throttle_is_refused() -> None:
    refusal = await plan(left_over(), keys=("log.retention.ms",))

    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("log.retention.ms is no throttle; throttles are follower.replication")


async def test_at_most_twenty_topics_at_once() -> None:
    world = left_over()
    world.infos = [partition(f"t{n}", 0, leader=1, isr=[1]) for n in range(30)]
    world.values |= {f"topic/t{n}": {FOLLOWER_LIST: "0:2"} for n in range(30)}

    effect = await planned(world, keys=(FOLLOWER_RATE,))

    assert len(effect.changes) == 1 + 20


@given(st.integers(1, 25), st.booleans())
def test_a_crash_in_the_middle_is_finished(at: int, after: bool) -> None:
    world, whole = left_over(), left_over()
    keys = (FOLLOWER_RATE, LEADER_RATE, FOLLOWER_LIST)
    effect = run(planned(world, keys))
    run(CLEAR.apply(effect, whole.ports()))
    world.crash_at, world.crash_after = world.steps + at, after
    if crashes(CLEAR.apply(effect, world.ports())):
        world.revive()
        settle = CLEAR.settle(effect, run(CLEAR.observe(effect, world.ports())))
        assert settle in (Settle.APPLY, Settle.DONE, Settle.GONE)
        assert settle is not Settle.GONE or world.settings() == left_over().settings()
        if settle is not Settle.DONE:
            run(CLEAR.apply(effect, world.ports()))

    assert world.settings() == whole.settings()


async def _cleared_and_set_anew(*, half: bool) -> Settle:
    world = left_over()
    effect = await planned(world, (FOLLOWER_RATE, LEADER_RATE, FOLLOWER_LIST))
    await CLEAR.apply(effect, world.ports())
    if half:
        world.set_config(ConfigChange("topic/pay", FOLLOWER_LIST, "append", "0:2"))
    world.set_config(ConfigChange(BROKER, LEADER_RATE, "set", "123"))
    return CLEAR.settle(effect, await CLEAR.observe(effect, world.ports()))


async def test_half_of_it_is_put_back_where_somebody_set_a_part_anew() -> None:
    """It can neither be finished nor is it complete; all of it is complete, whatever they set since."""
    assert await _cleared_and_set_anew(half=True) is Settle.UNDO
    assert await _cleared_and_set_anew(half=False) is Settle.DONE


async def test_worse_puts_everything_back_but_what_others_set_since() -> None:
    world = left_over()
    effect = await planned(world, (FOLLOWER_RATE, LEADER_RATE, FOLLOWER_LIST))
    await CLEAR.apply(effect, world.ports())
    world.set_config(ConfigChange(BROKER, LEADER_RATE, "set", "123"))

    seen = await CLEAR.undo(effect, world.ports())

    expected = left_over()
    expected.values[BROKER][LEADER_RATE] = "123"
    expected.values["topic/orders"][FOLLOWER_LIST] = "0:3,0:2"  # order means nothing in these lists
    assert [(c.key, value) for c, value in seen.theirs] == [(LEADER_RATE, "123")]
    assert world.settings() == expected.settings()
