"""Laws of configuration changes: exact undo, crashes anywhere, others' values, one write for one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from fake_world import NODE, World, crashes, run
from hypothesis import given
from hypothesis import strategies as st

from agent.actions import Stopped, configs
from agent.actions.throttles import (
    FOLLOWER_LIST,
    FOLLOWER_RATE,
    LEADER_LIST,
    LEADER_RATE,
    LISTS,
    RATES,
    entries,
)
from agent.kafka.configs import ConfigChange
from agent.model import Change, Operation, Seen

BROKER = f"broker/{NODE}"
ENTRIES = ["0:1", "0:2", "1:2", "2:3", "7:2"]
lists = st.one_of(st.none(), st.lists(st.sampled_from(ENTRIES), unique=True).map(",".join))
rates = st.one_of(st.none(), st.integers(0, 9_999_999).map(str))


@st.composite
def stories(draw: st.DrawFn) -> tuple[World, tuple[Change, ...]]:
    """A cluster with some settings, and changes that were planned for it."""
    world = World(values={"topic/a": {}, "topic/b": {}, BROKER: {}})
    changes = []
    for topic in draw(st.sets(st.sampled_from(["topic/a", "topic/b"]))):
        for key in draw(st.sets(st.sampled_from(LISTS))):
            prior = draw(lists)
            _put(world, topic, key, prior)
            change = draw(st.sampled_from([_append, _subtract]))(topic, key, prior)
            changes += [change] if change else []
    for key in draw(st.sets(st.sampled_from(RATES))):
        prior = draw(rates)
        _put(world, BROKER, key, prior)
        new = (
            None
            if prior is not None and draw(st.booleans())
            else str(draw(st.integers(10_000_000, 20_000_000)))
        )
        changes.append(Change(BROKER, key, Operation.SET if new else Operation.DELETE, prior, new))
    return world, tuple(changes)


def _put(world: World, resource: str, key: str, value: str | None) -> None:
    if value is None:
        world.values[resource].pop(key, None)
    else:
        world.values[resource][key] = value


def _append(topic: str, key: str, prior: str | None) -> Change | None:
    return configs.appended(topic, key, prior, ["0:2", "1:2", "9:2"])


def _subtract(topic: str, key: str, prior: str | None) -> Change | None:
    own = [e for e in entries(prior) if e.endswith(":2")]
    return Change(topic, key, Operation.SUBTRACT, prior, ",".join(own)) if own else None


def as_sets(world: World) -> dict[tuple[str, str], object]:
    """All settings, lists without their order; absent and empty are not the same."""
    return {
        (r, k): frozenset(entries(v)) if k in LISTS else v
        for r, vs in world.settings().items()
        for k, v in vs.items()
    }


@given(stories())
def test_undo_of_apply_is_nothing(story: tuple[World, tuple[Change, ...]]) -> None:
    """Exactly: what was absent is absent, what was empty is empty; and undoing twice is undoing once."""
    world, changes = story
    before = as_sets(world)

    run(configs.apply(changes, world.ports()))
    assert run(configs.observe(changes, world.ports())) == Seen(changes, (), ())
    for _ in range(2):
        assert run(configs.undo(changes, world.ports())) == Seen((), (), changes)

        assert as_sets(world) == before


@given(stories())
def test_applying_twice_is_applying_once_and_writes_nothing(story: tuple[World, tuple[Change, ...]]) -> None:
    world, changes = story
    run(configs.apply(changes, world.ports()))
    once, steps = world.settings(), world.steps

    run(configs.apply(changes, world.ports()))

    assert world.settings() == once
    assert world.steps - steps <= 4  # two reads of topics, two of the broker


@given(stories(), st.integers(1, 12), st.booleans())
def test_a_crash_anywhere_then_again_is_the_same(
    story: tuple[World, tuple[Change, ...]], at: int, after: bool
) -> None:
    """Forward and backward alike."""
    world, changes = story
    before = as_sets(world)
    _crash_then_again(world, at, after, lambda: configs.apply(changes, world.ports()))
    assert run(configs.observe(changes, world.ports())) == Seen(changes, (), ())

    _crash_then_again(world, at, after, lambda: configs.undo(changes, world.ports()))

    assert as_sets(world) == before


@dataclass
class Late(World):
    """What is written to topic b is seen a look later than what is to topic a. `sent`: all writes."""

    sent: list[ConfigChange] = field(default_factory=list)
    hidden: int = 0

    async def alter_configs(self, changes: Sequence[ConfigChange]) -> None:
        await super().alter_configs(changes)
        self.sent += changes
        self.hidden = 1

    async def topic_configs(
        self, topics: Sequence[str], keys: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, str]]:
        found = dict(await super().topic_configs(topics, keys))
        if self.hidden:
            self.hidden -= 1
            found["b"] = {}
        return found


def test_what_one_resource_shows_later_is_not_sent_again() -> None:
    """An operator might have taken it away by then."""
    world = Late(values={"topic/a": {}, "topic/b": {}})
    changes = [Change(f"topic/{t}", LEADER_LIST, Operation.SET, None, "0:2") for t in ("a", "b")]
    run(configs.apply(changes, world.ports()))
    assert [c.resource for c in world.sent] == ["topic/a", "topic/b"]


def _crash_then_again(world: World, at: int, after: bool, work) -> None:  # type: ignore[no-untyped-def]  # any coroutine
    world.crash_at, world.crash_after = world.steps + at, after
    crashes(work())
    world.revive()
    run(work())


@given(stories(), st.data())
def test_anothers_values_survive_undo(story: tuple[World, tuple[Change, ...]], data: st.DataObject) -> None:
    """A rate set anew is left alone and reported; entries that others added to a list stay in it."""
    world, changes = story
    before = as_sets(world)
    run(configs.apply(changes, world.ports()))
    touched = data.draw(st.sets(st.sampled_from(changes))) if changes else set()
    for change in touched:
        if change.key in RATES:
            world.set_config(ConfigChange(change.resource, change.key, "set", "31"))
        else:
            world.set_config(ConfigChange(change.resource, change.key, "append", "5:5"))

    seen = run(configs.undo(changes, world.ports()))

    assert set(seen.theirs) == {(c, "31") for c in touched if c.key in RATES and c.prior != "31"}
    after = as_sets(world)
    for change in changes:
        at = change.resource, change.key
        if change not in touched:
            assert after.get(at) == before.get(at)
        elif change.key in RATES:
            assert after[at] == "31"
        else:
            assert after[at] == frozenset(entries(change.prior)) | {"5:5"}


@pytest.mark.parametrize("operation", [Operation.APPEND, Operation.SUBTRACT])
async def test_a_list_that_became_everything_is_left_alone(operation: Operation) -> None:
    """`*` is nobody's entry: neither added to nor taken from, and reported."""
    prior = None if operation is Operation.APPEND else "0:2"
    change = Change("topic/a", FOLLOWER_LIST, operation, prior, "0:2")
    world = World(values={"topic/a": {FOLLOWER_LIST: "*"}})

    with pytest.raises(Stopped, match=r"is '\*' now, set by another"):
        await configs.apply([change], world.ports())
    assert (await configs.undo([change], world.ports())).theirs == ((change, "*"),)

    assert world.settings() == {"topic/a": {FOLLOWER_LIST: "*"}}


async def test_nothing_is_written_where_one_value_changed_since_the_plan() -> None:
    world = World(values={"topic/a": {}, BROKER: {FOLLOWER_RATE: "5"}})
    changes = (
        Change("topic/a", LEADER_LIST, Operation.APPEND, None, "0:2"),
        Change(BROKER, FOLLOWER_RATE, Operation.SET, None, "1000000"),
    )

    with pytest.raises(Stopped, match=f"{FOLLOWER_RATE} of broker/2 is '5' now"):
        await configs.apply(changes, world.ports())

    assert world.settings() == {BROKER: {FOLLOWER_RATE: "5"}}


async def test_a_deleted_topic_has_nothing_to_undo() -> None:
    world = World()
    change = Change("topic/gone", LEADER_LIST, Operation.SUBTRACT, "0:2", "0:2")

    assert await configs.undo([change], world.ports()) == Seen((), (), (change,))


async def test_a_value_that_does_not_read_back_is_no_success() -> None:
    """Brokers drop an invalid persisted value although the write was accepted."""

    class Forgetful(World):
        def set_config(self, change: ConfigChange) -> None:
            """Says yes, does nothing."""

    world = Forgetful()

    with pytest.raises(Stopped, match="does not read back: set leader"):
        await configs.apply([Change(BROKER, LEADER_RATE, Operation.SET, None, "7")], world.ports())


async def test_lists_come_before_rates_and_go_after_them() -> None:
    """A rate without its list does nothing, so half a throttle is harmless in both directions."""
    world, order = World(values={"topic/a": {}}), []

    class Told(World):
        def set_config(self, change: ConfigChange) -> None:
            order.append(change.resource)
            super().set_config(change)

    world = Told(values={"topic/a": {}})
    changes = (
        Change("topic/a", LEADER_LIST, Operation.APPEND, None, "0:2"),
        Change(BROKER, LEADER_RATE, Operation.SET, None, "1000000"),
    )
    await configs.apply(changes, world.ports())
    await configs.undo(changes, world.ports())

    assert order == ["topic/a", BROKER, BROKER, "topic/a", "topic/a"]  # the emptied list's key goes last


async def test_undo_believes_no_single_look() -> None:
    """A broker may tell our value for a moment after an operator set another."""

    class Lagging(World):
        stale = True

        async def configs(self, resource: str, keys: Sequence[str] | None = None) -> Mapping[str, str]:
            told = dict(await super().configs(resource, keys))
            if self.stale:
                self.stale, told[FOLLOWER_RATE] = False, "1000000"
            return told

    world = Lagging(values={BROKER: {FOLLOWER_RATE: "777"}})
    change = Change(BROKER, FOLLOWER_RATE, Operation.SET, None, "1000000")

    assert (await configs.undo([change], world.ports())).theirs == ((change, "777"),)
    assert world.settings() == {BROKER: {FOLLOWER_RATE: "777"}}


def test_a_list_that_is_empty_and_was_absent_is_ours_to_delete() -> None:
    """An undo that ended half-way leaves it so: whoever looks then, an adopter say, must see it."""
    change = Change("topic/a", FOLLOWER_LIST, Operation.APPEND, None, "0:2")
    assert configs.standing(change, "") is configs.Standing.OURS
    assert configs.standing(change, None) is configs.Standing.GONE
    assert configs.standing(Change("topic/a", FOLLOWER_LIST, Operation.APPEND, "", "0:2"), "") is (
        configs.Standing.GONE
    )
