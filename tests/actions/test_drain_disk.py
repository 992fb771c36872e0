"""Draining a log dir: what is chosen, what is refused, and that no crash or neighbour breaks a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fake_world import NODE, Crash, MiB, World, crashes, run
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.actions import Changed, NotKnown, Stopped
from agent.actions.drain_disk import DrainDisk
from agent.actions.moves import Phase, moves_of, progress
from agent.actions.throttles import MOVE_RATE, UNLIMITED
from agent.kafka.errors import KafkaInDoubt
from agent.model import Effect, Policy, Refusal, Settle
from agent.quantities import BytesPerSecond, Ratio
from agent.rehearsal.disks import Future, Replica, Volume

BROKER = f"broker/{NODE}"
DRAIN = DrainDisk()
TOTAL = 256 * MiB


def two_dirs(*sizes: int, **more: Any) -> World:
    """/d1 holds topic t with replicas of these MiB, /d2 nothing; 256 MiB each."""
    replicas = {("t", n): ("/d1", size * MiB) for n, size in enumerate(sizes)}
    return World(volumes={"/d1": Volume(TOTAL), "/d2": Volume(TOTAL)}, replicas=replicas, **more)


async def plan(
    world: World, until: float = 0.5, rate: int = 10 * MiB, target: str = "/d1"
) -> Effect | Refusal:
    given_ratio, given_rate = Ratio(until), BytesPerSecond(rate)
    return await DRAIN.plan(
        world.ports(), target=target, log_dir="/d1", until_used_ratio=given_ratio, rate=given_rate
    )


async def planned(world: World, until: float = 0.5, rate: int = 10 * MiB) -> Effect:
    effect = await plan(world, until, rate)
    assert isinstance(effect, Effect), effect
    return effect


# what is chosen


async def test_the_largest_go_first_until_enough_is_freed() -> None:
    """200 MiB of 256 are used; half is allowed; 90 MiB suffice."""
    effect = await planned(two_dirs(30, 90, 80))

    assert [(m.resource, m.prior, m.new) for m in moves_of(effect)] == [("replica/t-1", "/d1", "/d2")]
    assert effect.changes[0].new == str(10 * MiB)
    assert effect.owner == "broker-2"
    assert DRAIN.scopes(effect) == ("disk_drain", "x:broker/2", "x:disk/2//d1", "x:disk/2//d2")


async def test_what_does_not_fit_is_passed_over() -> None:
    """/d2 may take 78 MiB until half of it is used."""
    world = two_dirs(100, 60, 40)
    world.volumes["/d2"].other = 50 * MiB

    assert [m.resource for m in moves_of(await planned(world))] == ["replica/t-1"]


async def test_compacted_topics_go_last() -> None:
    """Kafka pauses their cleaning while they move."""
    world = two_dirs(100, 90)
    world.replicas[("c", 0)] = "/d1", 50 * MiB
    world.values["topic/t"] = {"cleanup.policy": "compact,delete"}

    assert moves_of(await planned(world))[0].resource == "replica/c-0"


async def test_the_policy_caps_the_rate() -> None:
    effect = await planned(two_dirs(100, 90, policy=Policy(max_move_rate=3 * MiB)))

    assert effect.changes[0].new == str(3 * MiB)


# what is refused


def foreign_limit(world: World) -> None:
    world.values[BROKER] = {MOVE_RATE: "1000"}


def default_limit(world: World) -> None:
    world.defaults[BROKER] = {MOVE_RATE: "1000"}


def other_dir_gone(world: World) -> None:
    del world.volumes["/d2"]


def other_dir_offline(world: World) -> None:
    world.volumes["/d2"].offline = True


def other_dir_cordoned(world: World) -> None:
    world.volumes["/d2"].cordoned = True


def other_dir_full(world: World) -> None:
    world.volumes["/d2"].other = 200 * MiB


def same_volume(world: World) -> None:
    """Dirs that tell the very same room share it."""
    world.volumes["/d2"].other = world.used("/d1")


def somebody_moves(world: World) -> None:
    world.futures[("t", 1)] = Future("/d2", MiB)


def reassigned(world: World) -> None:
    world.reassigning = set(world.replicas)


def long_names(world: World) -> None:
    world.replicas = {("n" * 240, 0): ("/d1", 180 * MiB)}


def drained(world: World) -> None:
    world.replicas = {("t", 0): ("/d1", 10 * MiB)}


REFUSED: list[tuple[Callable[[World], None], str, str]] = [
    (foreign_limit, "coexistence", f"{MOVE_RATE} is 1000 on this broker already"),
    (default_limit, "coexistence", f"{MOVE_RATE} is 1000 on this broker already"),
    (other_dir_gone, "preconditions", "/d1 is the only log dir of this broker that takes replicas"),
    (other_dir_offline, "preconditions", "log dir /d2 is offline"),
    (other_dir_cordoned, "preconditions", "/d1 is the only log dir of this broker that takes replicas"),
    (other_dir_full, "preconditions", "2 do not fit into the room of the other log dirs (room /d2: 0 B)"),
    (same_volume, "preconditions", "nothing can be moved out of /d1"),
    (somebody_moves, "coexistence", "t-1 is being moved between log dirs, not by this drain"),
    (reassigned, "preconditions", "2 are being reassigned"),
    (long_names, "preconditions", "1 have too long a name to be moved"),
    (drained, "preconditions", "/d1 is used to 3.9% already"),
]


@pytest.mark.parametrize(("change", "question", "words"), REFUSED, ids=lambda v: getattr(v, "__name__", None))
async def test_refused_with_words(change: Callable[[World], None], question: str, words: str) -> None:
    world = two_dirs(110, 100)
    change(world)

    refusal = await plan(world)

    assert isinstance(refusal, Refusal)
    assert refusal.question == question
    assert words in refusal.reason


async def test_the_room_of_a_volume_is_given_once_though_it_shrinks_between_two_looks() -> None:
    """Or though its dirs do not even agree how large it is, as datasets of ZFS."""

    class Shared(World):
        async def free_bytes(self, path: str) -> tuple[int, int]:
            usable, total = await super().free_bytes(path)
            self.volumes["/d3"].other += 4_096
            return usable, total

    volumes = {path: Volume(TOTAL) for path in ("/d1", "/d2", "/d3", "/d4")}
    volumes["/d4"] = Volume(TOTAL + MiB)
    replicas: dict[Replica, tuple[str, int]] = {("t", n): ("/d1", 20 * MiB) for n in range(12)}
    world = Shared(volumes=volumes, replicas=replicas, shared=dict.fromkeys(("/d2", "/d3", "/d4"), "one"))
    effect = await planned(world, until=0.25)
    assert {move.new for move in moves_of(effect)} == {"/d2"}
    world.shared["/d2"] = "/d1"
    assert {move.new for move in moves_of(await planned(world, until=0.25))} == {"/d3"}


async def test_another_brokers_disk_is_not_ours() -> None:
    refusal = await plan(two_dirs(200), target="broker-3")

    assert refusal == Refusal("preconditions", "the target is broker 3, and this agent heals broker 2")


# doing it


async def test_a_drain_ends_with_the_replicas_moved_and_no_limit() -> None:
    world = two_dirs(60, 48, 40, 30)
    world.values[BROKER] = {"log.cleaner.threads": "1"}
    effect = await planned(world, until=0.45)

    await DRAIN.apply(effect, world.ports())

    assert {n: path for (_, n), (path, _) in world.replicas.items()} == {
        0: "/d2",
        1: "/d2",
        2: "/d1",
        3: "/d1",
    }
    assert not world.futures
    assert world.settings() == {BROKER: {"log.cleaner.threads": "1"}}
    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.DONE


async def test_one_replica_at_a_time() -> None:
    """The next is asked for only when the former is swapped."""
    most = 0

    def count(world: World) -> None:
        nonlocal most
        most = max(most, len(world.futures))

    world = two_dirs(40, 40, 40, 40, 40, every_tick=count)
    await DRAIN.apply(await planned(world), world.ports())

    assert most == 1
    assert world.asked == ["t-0 to /d2", "t-1 to /d2"]


@st.composite
def crowded(draw: st.DrawFn) -> World:
    """A full dir, two with more room, each with foreign files; one of them has replicas of its own."""
    total = draw(st.integers(50, 400)) * MiB
    volumes = {f"/d{n}": Volume(total + n, draw(st.integers(0, 25)) * total // 100) for n in range(1, 4)}
    world = World(volumes=volumes, policy=Policy(drain_headroom=draw(st.sampled_from([0.1, 0.2, 0.35]))))
    for n, part in enumerate(draw(st.lists(st.integers(1, 30), min_size=5, max_size=12))):
        path = "/d2" if n == 4 else "/d1"
        if world.used(path) + part * total // 100 < 0.97 * total:
            world.replicas[("t", n)] = path, part * total // 100 + n
    return world


@given(crowded(), st.floats(0.3, 0.6))
def test_the_targets_keep_their_headroom_at_every_instant(world: World, until: float) -> None:
    """Whatever the sizes: no target is ever fuller than the policy and the drain's own goal allow."""
    effect = run(plan(world, until))
    assume(isinstance(effect, Effect))
    assert isinstance(effect, Effect)
    fullest: dict[str, int] = {}
    goal = {path: world.used(path) for path in world.volumes}

    def watch(world: World) -> None:
        fullest.update({p: max(fullest.get(p, 0), world.used(p)) for p in world.volumes})

    world.every_tick = watch
    run(DRAIN.apply(effect, world.ports()))

    for path in {str(m.new) for m in moves_of(effect)}:
        keep = max(world.policy.drain_headroom, 1 - until)
        assert fullest[path] <= (1 - keep) * world.volumes[path].total + 1
    assert fullest["/d1"] == goal["/d1"]  # the old dir keeps each replica until its swap, and gains nothing


@given(crowded(), st.integers(1, 120), st.booleans(), st.integers(0, 120))
def test_a_crash_anywhere_then_apply_again_is_apply(world: World, at: int, after: bool, away: int) -> None:
    """The agent dies at any call, before or after its effect, and Kafka goes on while it is away."""
    effect = run(plan(world, 0.4))
    assume(isinstance(effect, Effect))
    assert isinstance(effect, Effect)
    before = dict(world.replicas)
    world.crash_at, world.crash_after = world.steps + at, after
    if crashes(DRAIN.apply(effect, world.ports())):
        world.revive().tick(away)
        settle = DRAIN.settle(effect, run(DRAIN.observe(effect, world.ports())))
        if settle is Settle.GONE:
            assert (world.replicas, world.futures, world.settings()) == (before, {}, {})
            return
        if settle is Settle.APPLY:
            run(DRAIN.apply(effect, world.ports()))

    assert {m.resource: m.new for m in moves_of(effect)} == {
        f"replica/{t}-{p}": path
        for (t, p), (path, _) in world.replicas.items()
        if f"replica/{t}-{p}" in {m.resource for m in moves_of(effect)}
    }
    assert not world.futures
    assert world.settings() == {}


@given(crowded(), st.integers(1, 120), st.integers(1, 40), st.booleans())
def test_undo_leaves_nothing_running_and_no_limit(world: World, at: int, again: int, after: bool) -> None:
    """After a crash in the middle, and after one in the undo itself."""
    effect = run(plan(world, 0.4))
    assume(isinstance(effect, Effect))
    assert isinstance(effect, Effect)
    held = set(world.replicas)
    world.crash_at = world.steps + at
    crashes(DRAIN.apply(effect, world.ports()))
    world.revive()
    world.crash_at, world.crash_after = world.steps + again, after
    crashes(DRAIN.undo(effect, world.ports()))
    world.revive()

    for _ in range(2):
        seen = run(DRAIN.undo(effect, world.ports()))

        assert not world.futures
        assert world.settings() == {}
        assert set(world.replicas) == held
        assert not seen.theirs


# what goes wrong meanwhile


async def test_a_target_that_fills_stops_the_copy_in_time() -> None:
    """Somebody writes 5 MiB/s into the target: the copy is cancelled, and the dir never goes offline."""

    def fill(world: World) -> None:
        world.volumes["/d2"].other += 5 * MiB

    world = two_dirs(130, 110)
    world.every_tick = fill
    effect = await planned(world, until=0.6, rate=4 * MiB)

    with pytest.raises(Stopped, match=r"/d2 has .* free, .* must stay free: t-0 stays where it is"):
        await DRAIN.apply(effect, world.ports())

    assert not world.futures
    assert world.settings() == {}
    assert not world.volumes["/d2"].offline
    assert world.lowest_room["/d2"] >= 0.20 - 5 / 256  # found at the next look


async def test_a_target_that_shrank_before_the_copy_gets_none() -> None:
    world = two_dirs(100, 90)
    effect = await planned(world)
    world.volumes["/d2"].other = 120 * MiB

    with pytest.raises(Stopped, match="must stay free"):
        await DRAIN.apply(effect, world.ports())

    assert world.asked == []


async def test_others_copies_count_as_if_they_had_arrived() -> None:
    """Another tool's replica has 109 MiB still to come: there is no room for ours besides."""
    world = two_dirs(100, 90)
    effect = await planned(world)
    world.volumes["/d3"] = Volume(TOTAL)
    world.replicas[("other", 0)] = "/d3", 110 * MiB
    world.futures[("other", 0)] = Future("/d2", MiB)
    world.no_controller = True

    with pytest.raises(Stopped, match="213 MiB are still to come into it"):
        await DRAIN.apply(effect, world.ports())

    assert world.futures.keys() == {("other", 0)}  # another's move is not ours to cancel


async def test_a_copy_without_progress_is_cancelled_after_ten_minutes() -> None:
    """No controller: the copy is whole and waits for ever for its swap."""
    world = two_dirs(110, 100, no_controller=True)
    effect = await planned(world)
    began = world.now

    with pytest.raises(Stopped, match=r"t-0 made no progress for 10m.*110 MiB of 110 MiB copied"):
        await DRAIN.apply(effect, world.ports())

    assert not world.futures
    assert world.settings() == {}
    assert world.now - began < 11 * 60_000


async def test_a_broker_that_is_away_is_waited_for() -> None:
    """It restarts in the middle of a copy and resumes it by itself."""

    def restart(world: World) -> None:
        world.silent = 1_005_000 < world.now < 1_065_000

    world = two_dirs(110, 100, every_tick=restart)
    effect = await planned(world)

    await DRAIN.apply(effect, world.ports())

    assert world.replicas["t", 0][0] == "/d2"
    assert world.asked == ["t-0 to /d2"]


async def test_a_lost_answer_is_looked_after_not_asked_twice() -> None:
    """The request to move was not answered but done: its copy is found, and no second request goes out."""

    class Losing(World):
        async def move_replicas(self, broker: int, moves: Mapping[Replica, str]) -> Mapping[Replica, str]:
            await super().move_replicas(broker, moves)
            raise KafkaInDoubt("alter_replica_log_dirs", "no answer")

    plain = two_dirs(110, 100)
    world = Losing(volumes=plain.volumes, replicas=plain.replicas)

    await DRAIN.apply(await planned(world), world.ports())

    assert world.asked == ["t-0 to /d2"]
    assert world.replicas["t", 0][0] == "/d2"


async def test_a_move_that_somebody_cancels_is_not_begun_again() -> None:
    def cancelled(world: World) -> None:
        if world.now > 1_005_000:
            world.futures.clear()

    world = two_dirs(110, 100, every_tick=cancelled)

    with pytest.raises(Stopped, match="the move of t-0 was cancelled by another"):
        await DRAIN.apply(await planned(world), world.ports())

    assert world.asked == ["t-0 to /d2"]


async def test_a_move_that_was_compared_too_long_ago_is_compared_anew() -> None:
    """Right before it leaves another moves the replica, or its own copy is swapped: the next look tells."""

    class Waiting(World):
        stale = 1

        async def move_replicas(self, broker: int, moves: Mapping[Replica, str]) -> Mapping[Replica, str]:
            if self.stale:
                self.stale -= 1
                raise Changed("t-0 was moved, or is being moved, by another")
            return await super().move_replicas(broker, moves)

    plain = two_dirs(110, 100)
    world = Waiting(volumes=plain.volumes, replicas=plain.replicas)
    await DRAIN.apply(await planned(world), world.ports())
    assert world.asked == ["t-0 to /d2"]
    assert world.replicas["t", 0][0] == "/d2"


class Dark(World):
    """The sources tell nothing of the cluster until then, ms: no move is begun."""

    until = 0

    async def move_replicas(self, broker: int, moves: Mapping[Replica, str]) -> Mapping[Replica, str]:
        if self.now < self.until:
            self.asked.append("the sources")
            raise NotKnown("the cluster's state is not known")
        return await super().move_replicas(broker, moves)


async def test_what_is_not_known_for_minutes_does_not_end_a_drain() -> None:
    """Each further replica wants to know of the cluster, and each try costs a beat."""
    plain = two_dirs(60, 55, 50, 35)
    world = Dark(volumes=plain.volumes, replicas=plain.replicas)
    effect = await planned(world)
    assert len(moves_of(effect)) == 2
    first = world.now

    def silent(_: World) -> None:
        if world.asked:
            world.until = first + 5 * 60_000

    world.every_tick = silent
    await DRAIN.apply(effect, world.ports())
    assert [world.replicas["t", n][0] for n in (0, 1, 2)] == ["/d2", "/d2", "/d1"]
    assert 20 < world.asked.count("the sources") <= 30
    assert world.settings() == {}


async def test_what_is_never_known_ends_a_drain_though_its_replica_grows() -> None:
    plain = two_dirs(110, 100)
    world = Dark(volumes=plain.volumes, replicas=plain.replicas, produced={("t", 0): 1_000})
    world.until = world.now + 3_600_000
    effect, began = await planned(world), world.now
    with pytest.raises(Stopped, match=r"made no progress for 10m.*the cluster's state is not known"):
        await DRAIN.apply(effect, world.ports())
    assert world.settings() == {}
    assert world.now - began < 11 * 60_000


async def test_a_deleted_topic_is_passed() -> None:
    def delete(world: World) -> None:
        if world.now > 1_003_000:
            world.replicas.pop(("t", 0), None)
            world.futures.pop(("t", 0), None)

    world = two_dirs(48, 47, 46, 45, every_tick=delete)
    effect = await planned(world, until=0.4, rate=4 * MiB)

    await DRAIN.apply(effect, world.ports())

    assert ("t", 0) not in world.replicas
    assert world.replicas["t", 1][0] == "/d2"
    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.DONE


async def test_an_operators_other_limit_ends_the_drain_and_stays() -> None:
    """Set while the agent was away: the move that runs is cancelled, the limit is reported and left."""
    world = two_dirs(110, 100)
    effect = await planned(world)
    world.crash_at = world.steps + 15
    with pytest.raises(Crash):
        await DRAIN.apply(effect, world.ports())
    world.revive()
    assert world.futures
    world.values[BROKER] = {MOVE_RATE: "12345"}

    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.UNDO
    seen = await DRAIN.undo(effect, world.ports())

    assert [(c.key, value) for c, value in seen.theirs] == [(MOVE_RATE, "12345")]
    assert world.settings() == {BROKER: {MOVE_RATE: "12345"}}
    assert not world.futures


async def test_a_swap_during_the_cancel_does_not_begin_the_way_back() -> None:
    """To cancel is to ask for the dir it is in; were it swapped meanwhile, it would be moved back."""

    class Swapping(World):
        def move(self, key: Replica, path: str) -> str | None:
            future = self.futures.get(key)
            if future is not None and path == "/d1":
                del self.futures[key]
                self.replicas[key] = future.path, self.replicas[key][1]
            return super().move(key, path)

    plain = two_dirs(110, 100)
    world = Swapping(volumes=plain.volumes, replicas=plain.replicas)
    effect = await planned(world)
    world.futures[("t", 0)] = Future("/d2", MiB)

    await DRAIN.undo(effect, world.ports())

    assert world.replicas["t", 0][0] == "/d2"
    assert not world.futures


async def test_a_move_into_a_dir_that_went_offline_is_not_called_undone() -> None:
    """The broker tells nothing of it, and would resume the move with the next start."""
    world = two_dirs(110, 100)
    effect = await planned(world)
    world.values[BROKER] = {MOVE_RATE: str(effect.changes[0].new)}
    world.volumes["/d2"].offline = True

    with pytest.raises(Stopped, match="t-0 may still be on its way into an offline log dir"):
        await DRAIN.undo(effect, world.ports())

    assert world.settings() == {}  # the limit goes all the same


async def test_a_copy_whose_source_went_offline_is_not_called_undone() -> None:
    """What is copied already waits in its new dir, and the broker goes on once the old one is back."""
    world = two_dirs(110, 100)
    effect = await planned(world)
    world.values[BROKER] = {MOVE_RATE: str(effect.changes[0].new)}
    world.futures[("t", 0)] = Future("/d2", 40 * MiB)
    world.volumes["/d1"].offline = True

    seen = await DRAIN.observe(effect, world.ports())
    assert (seen.theirs, seen.gone) == ((), moves_of(effect)), "its old dir has it still"
    with pytest.raises(Stopped, match="t-0 may go on being copied out of an offline log dir: mend it"):
        await DRAIN.undo(effect, world.ports())
    assert world.asked == [], "Kafka would refuse it"

    world.volumes["/d1"].offline = False
    await DRAIN.undo(effect, world.ports())
    assert not world.futures
    assert world.replicas["t", 0] == ("/d1", 110 * MiB)


async def test_a_drain_that_was_not_begun_is_not_applied_on() -> None:
    """Its first effect was refused, which could not be written down."""
    world = two_dirs(110, 100)
    effect = await planned(world)

    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.GONE
    world.values[BROKER] = {MOVE_RATE: str(effect.changes[0].new)}
    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.APPLY


async def test_a_copy_whose_limit_somebody_took_away_is_cancelled() -> None:
    """While no agent ran; nothing else of the drain stands."""
    world = two_dirs(110, 100)
    effect = await planned(world)
    world.futures[("t", 0)] = Future("/d2", 40 * MiB)

    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.GONE
    await DRAIN.undo(effect, world.ports())
    assert not world.futures


async def test_a_source_that_never_comes_back_is_not_waited_for() -> None:
    """Its dir was taken out of the broker's configuration."""
    world = two_dirs(110, 100)
    (move,) = moves_of(await planned(world))
    world.futures[("t", 0)] = Future("/d2", 40 * MiB)
    world.volumes["/d1"].offline = True
    offline, other = world.described()

    assert progress(move, (offline, other)).phase is Phase.HIDDEN
    assert progress(move, (other,)).phase is Phase.ELSEWHERE
    assert progress(move, (offline, replace(other, replicas=()))).phase is Phase.ELSEWHERE


async def test_after_a_restart_beside_an_offline_source_the_drain_ends() -> None:
    """Half done, and nothing of it is applied on."""
    world = two_dirs(110, 100)
    effect = await planned(world)
    world.values[BROKER] = {MOVE_RATE: str(effect.changes[0].new)}
    world.futures[("t", 0)] = Future("/d2", 40 * MiB)
    world.volumes["/d1"].offline = True

    assert DRAIN.settle(effect, await DRAIN.observe(effect, world.ports())) is Settle.APPLY
    with pytest.raises(Stopped, match=r"log dir /d1 is offline.*not cancelled yet: replica/t-0 may go on"):
        await DRAIN.apply(effect, world.ports())
    assert world.asked == []


async def test_a_limit_that_was_lifted_by_hand_is_put_back_so() -> None:
    """Somebody set Kafka's own default: that is the prior, and no limit."""
    world = two_dirs(110, 100)
    world.values[BROKER] = {MOVE_RATE: UNLIMITED}

    await DRAIN.apply(await planned(world), world.ports())

    assert world.replicas["t", 0][0] == "/d2"
    assert world.settings() == {BROKER: {MOVE_RATE: UNLIMITED}}


async def test_a_refused_move_is_told_by_kafkas_name() -> None:
    class Refusing(World):
        def move(self, key: Replica, path: str) -> str | None:
            return "INVALID_REPLICA_ASSIGNMENT"

    plain = two_dirs(110, 100)
    world = Refusing(volumes=plain.volumes, replicas=plain.replicas)

    with pytest.raises(Stopped, match="Kafka refused to move t-0 to /d2: INVALID_REPLICA_ASSIGNMENT"):
        await DRAIN.apply(await planned(world), world.ports())

    assert world.settings() == {}
