"""The counts of partitions against a slow reference, for any partitions at all."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from agent.kafka.metadata import PartitionInfo
from agent.sources.partition_counts import Counts, Trouble, count

ME = 2
NODES = st.sampled_from((1, 2, 3, 4))


@st.composite
def infos(draw: st.DrawFn) -> PartitionInfo:
    """A partition as a controller may have it: isr and elr do not meet, the leader is in sync or nobody."""
    replicas = tuple(draw(st.lists(NODES, min_size=1, max_size=4, unique=True)))
    places = [draw(st.sampled_from(("isr", "elr", "last", "lost"))) for _ in replicas]
    isr, elr, last = (
        tuple(node for node, place in zip(replicas, places, strict=True) if place == wanted)
        for wanted in ("isr", "elr", "last")
    )
    leader = draw(st.sampled_from((*isr, -1)))
    offline = tuple(node for node in replicas if draw(st.booleans()) and node != leader)
    return PartitionInfo(
        draw(st.sampled_from("ab")), 0, "id", leader, replicas, isr, elr, offline, last_known_elr=last
    )


def without_me(info: PartitionInfo) -> PartitionInfo:
    """The partition after this broker stopped."""
    isr = tuple(node for node in info.isr if node != ME)
    elr = tuple(node for node in info.elr if node != ME)
    leader = info.leader if info.leader != ME else next(iter((*isr, *elr)), -1)
    return PartitionInfo("", 0, "", leader, info.replicas, isr, elr, ())


DARK = PartitionInfo("a", 0, "id", 1, (1, 2, 3), (1, 2, 3), (), (3,))  # offline, and not yet out of the ISR


@given(st.lists(infos(), max_size=5), st.integers(1, 5), st.integers(1, 5))
@example([DARK], 1, 1)
def test_counts_are_what_their_names_say(partitions: list[PartitionInfo], a: int, b: int) -> None:
    """Each by its own sentence; without this broker means with it taken out."""
    minimum = {"a": a, "b": b}

    def under(info: PartitionInfo, topic: str) -> bool:
        return len(info.isr) < min(minimum[topic], len(info.replicas))

    mine = [p for p in partitions if ME in p.replicas]
    in_trouble = [p for p in partitions if p.leader < 0 or set(p.isr) != set(p.replicas)]
    expected = Counts(
        partitions=len(partitions),
        offline=sum(p.leader < 0 for p in partitions),
        under_replicated=sum(set(p.isr) != set(p.replicas) for p in partitions),
        under_min_isr=sum(under(p, p.topic) for p in partitions),
        at_min_isr=sum(len(p.isr) == min(minimum[p.topic], len(p.replicas)) for p in partitions),
        offline_replicas=sum(len(p.offline) for p in partitions),
        led=sum(p.leader == ME for p in partitions),
        followed=sum(p.leader != ME for p in mine),
        out_of_sync_here=sum(ME not in p.isr for p in mine),
        under_min_isr_without=sum(under(without_me(p), p.topic) for p in partitions),
        offline_without=sum(p.leader < 0 or without_me(p).leader < 0 for p in partitions),
        last_copies=sum({*p.isr, *p.elr, *p.last_known_elr} == {ME} for p in partitions),
    )
    for topic in {p.topic for p in in_trouble}:
        own = [p for p in partitions if p.topic == topic]
        expected.topics[topic] = Trouble(
            sum(p.leader < 0 for p in own),
            sum(under(p, topic) for p in own),
            sum(set(p.isr) != set(p.replicas) for p in own),
        )

    found = Counts()
    for start in range(0, len(partitions), 2):  # in slices, as the source counts
        count(partitions[start : start + 2], minimum, ME, found)

    assert found == expected
