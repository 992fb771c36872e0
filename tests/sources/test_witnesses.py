"""Who is believed about the cluster, where a broker's own view of it stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from test_cluster_facts import ME, FakeCluster, broker, partition

from agent.gate import World
from agent.kafka.metadata import BrokerInfo, PartitionInfo
from agent.sources.cluster import ClusterFacts
from agent.sources.witnesses import peer

TURN = 60_000


class Divided(FakeCluster):
    """Five brokers. `frozen` are cut off from the controller, and answer with what was before."""

    def __init__(self, *frozen: int) -> None:
        super().__init__()
        self.before = self.nodes = {n: broker(n) for n in range(1, 6)}
        self.parts_before = self.parts
        self.frozen = frozen

    def fence(self, *nodes: int) -> None:
        """What the controller does; their replicas fall out of sync."""
        self.nodes = {n: broker(n, fenced=n in nodes) for n in self.nodes}
        self.parts = (partition("orders", 0, isr=(1,)), partition("orders", 1, leader=-1, isr=()))

    async def brokers(self, *, ask: int | None = None) -> Mapping[int, BrokerInfo]:
        now = await super().brokers(ask=ask)
        return self.before if ask in self.frozen else now

    async def partitions(
        self, topics: Sequence[str] | None = None, *, ask: int | None = None
    ) -> tuple[PartitionInfo, ...]:
        now = await super().partitions(topics, ask=ask)
        return self.parts_before if ask in self.frozen else now


async def fenced(facts: ClusterFacts, now: int) -> frozenset[int]:
    """Who is, by the view of a reading."""
    await facts.read(now)
    assert facts.facts is not None
    assert facts.facts.at == now
    return facts.facts.fenced


async def test_a_peer_whose_view_stands_still_is_not_the_only_witness() -> None:
    """It says that all is well; the own broker knows better, and that the peer is not to be asked."""
    cluster = Divided(3)
    facts = ClusterFacts(cluster, ME, 15_000)
    await facts.read(0)
    cluster.fence(3, 4)
    assert await fenced(facts, 15_000) == {3, 4}
    cluster.asked.clear()
    for now in range(30_000, 10 * TURN, 15_000):
        assert await fenced(facts, now) == {3, 4}
        assert facts.facts is not None
        assert (facts.facts.offline, facts.facts.under_min_isr) == (1, 2)
    assert {*cluster.calls("partitions")} == {1, 5}


async def test_an_own_broker_that_is_cut_off_is_not_believed() -> None:
    """Nor is it waited for where it hangs: the peers tell of the cluster as before."""
    cluster = Divided(ME)
    facts = ClusterFacts(cluster, ME, 15_000)
    cluster.before = {n: broker(n, fenced=n == 5) for n in cluster.nodes}  # as it was when it was cut off
    cluster.fence(ME, 4)
    for now in range(0, 3 * TURN, 15_000):
        assert await fenced(facts, now) == {ME, 4}
    assert {*cluster.calls("partitions")} == {1, 3}  # and not 5, of which one of the two says no good

    cluster.silent_nodes = {ME}
    for now in range(3 * TURN, 6 * TURN, 15_000):
        assert await fenced(facts, now) == {ME, 4}


async def test_each_peer_has_its_turn_where_nobody_is_known_to_be_cut_off() -> None:
    """The own broker is cut off with one of them: the next one tells of both."""
    cluster = Divided(ME, 3)
    facts = ClusterFacts(cluster, ME, 15_000)
    await facts.read(0)
    cluster.fence(ME, 3)
    seen = [await fenced(facts, now) for now in range(15_000, 5 * TURN, 15_000)]
    assert seen == [frozenset()] * 3 + [frozenset({ME, 3})] * 16


async def test_a_broker_that_hangs_is_asked_what_it_says_itself_and_nobody_waits() -> None:
    """One question at a time, and each reading is as current as without it."""
    answer = asyncio.Event()

    class Hanging(FakeCluster):
        async def brokers(self, *, ask: int | None = None) -> Mapping[int, BrokerInfo]:
            told = await super().brokers(ask=ask)
            if ask == ME:
                await answer.wait()
            return told

    cluster = Hanging()
    facts = ClusterFacts(cluster, ME, 100)
    for now in (1000, 2000, 3000):
        await facts.read(now)
        assert facts.facts == World(at=now, asked=3)
    assert cluster.calls("brokers").count(ME) == 1
    answer.set()
    await facts.read(4000)


@given(
    st.integers(0, 9), st.frozensets(st.integers(0, 9)), st.frozensets(st.integers(0, 9)), st.integers(0, 99)
)
def test_whom_to_ask(node: int, others: frozenset[int], silent: frozenset[int], turn: int) -> None:
    """Somebody else if anybody lives, not the silent one if there is a choice, else oneself."""
    alive = sorted(others)
    asked = peer(node, alive, silent, turn)

    assert asked in others | {node}
    assert (asked == node) == (not others - {node})
    assert asked not in silent or not others - {node} - silent


def test_the_agents_of_a_cluster_ask_different_peers() -> None:
    """In a ring, so that no broker answers them all; and each in its turn asks all others."""
    assert [peer(node, [1, 2, 3, 4], ()) for node in (1, 2, 3, 4)] == [2, 3, 4, 1]
    assert [peer(2, [1, 2, 3, 4], (), turn) for turn in range(4)] == [3, 4, 1, 3]
