"""What people ask about and order the fleet through one agent, over a log that several agents share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import msgspec
import pytest
from test_control_topic import Cluster, dirty, eventually

from agent.control.words import claim_name
from agent.control_topic import ControlTopic
from agent.daemon.fleet_desk import FleetDesk
from agent.daemon.means import Means
from agent.journal import JournalFailed
from agent.model import Entry
from agent.surface import Plain, Refused, Who

ANN, BEN = Who("ann (uid 0)", "game day"), Who("ben (uid 0)", "it is over")
PAUSE = {"on": True, "selector": "kind:throttle_replication", "for": 0}
BUDGET = {"scope": "quota", "cap": 1, "rate": None, "window": None}


@dataclass
class Book:
    """A ledger in memory."""

    told: list[Entry] = field(default_factory=list)
    full: bool = False

    async def record(self, entry: Entry) -> None:
        """Keep it, if there is room."""
        if self.full:
            raise JournalFailed("disk full")
        self.told.append(entry)


@dataclass
class Parts:
    """What the desk needs of the agent's means."""

    control: ControlTopic | None
    ledger: Book = field(default_factory=Book)
    actions: Mapping[str, None] = field(default_factory=lambda: {"throttle_replication": None})

    def clock(self) -> int:
        """Any time."""
        return 9


def desk(control: ControlTopic | None) -> tuple[FleetDesk, Book]:
    """Of one agent; and its journal."""
    parts = Parts(control)
    return FleetDesk("broker-1", cast(Means, parts)), parts.ledger


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    it = Cluster()
    yield it
    for agent in it.agents:
        await Cluster.kill(agent)


async def test_all_agents_are_seen_and_a_fresh_answer_lacks_nothing(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    claim = await dirty(two, "quota")
    told = await desk(one)[0].fresh()

    assert [agent["agent"] for agent in told["agents"]] == ["broker-1", "broker-2"]
    assert [(c["claim"], c["state"]) for c in told["claims"]] == [(str(claim), "dirty")]
    assert (told["agent"], told["caught_up"], told["degraded"]) == ("broker-1", True, None)
    assert told["offset"] > claim


@pytest.mark.parametrize(
    ("t", "x", "words"),
    [
        ("pause", {**PAUSE, "selector": "kind:throttle"}, "kind throttle; there are: throttle_replication"),
        ("pause", {**PAUSE, "selector": "agent:borker-1"}, "agent borker-1; there are: broker-1"),
        ("pause", {**PAUSE, "selector": "host:borker-1"}, "host borker-1; there are: host1"),
        (
            "pause",
            {**PAUSE, "selector": "scope:thr0*"},
            "scope thr0*; there are: disk_drain, election, quota",
        ),
        ("budget", {**BUDGET, "scope": "throtle"}, "budget throtle; there are: disk_drain, election, quota"),
        ("params", {"values": {"cooldown/throttle": 60_000}}, "kind throttle; there are: throttle_repl"),
    ],
)
async def test_an_order_for_what_nothing_has_is_refused_unless_forced(
    t: str, x: Plain, words: str, cluster: Cluster
) -> None:
    """A stop that stops nothing would be told as one: mostly it is mistyped."""
    first, book = desk(await cluster.start(1))
    with pytest.raises(Refused, match=re.escape(f"nothing here is called {words}")):
        await first.order(t, x, ANN)
    assert not book.told
    await first.order(t, x, msgspec.structs.replace(ANN, force=True))
    assert len(book.told) == 1


async def test_names_that_something_has_are_not_refused(cluster: Cluster) -> None:
    one = await cluster.start(1)
    first, book = desk(one)
    selectors = (
        "*",
        "kind:throttle_replication",
        "agent:broker-1",
        "scope:quota",
        "scope:x:disk/9/d*",
        "scope:th*",
        "scope:restart/broker-7",
    )
    for selector in selectors:
        await first.order("pause", {**PAUSE, "selector": selector}, ANN)
    for scope in ("quota", "restart/broker-7", "limit/own"):
        await first.order("budget", {**BUDGET, "scope": scope}, ANN)
    await first.order("params", {"values": {"cooldown/throttle_replication": 60_000}}, ANN)
    assert len(book.told) == len(selectors) + 4


async def test_a_pause_by_one_agent_holds_for_all_and_is_journaled(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    (first, book), (second, _) = desk(one), desk(two)
    answer = await first.order("pause", PAUSE, ANN)

    assert answer["remark"] == ""
    (pause,) = (await second.fresh())["pauses"]
    assert (pause["by"], pause["changed_at"]) == ("ann (uid 0)", answer["offset"])
    (entry,) = book.told
    assert entry.question == "fleet pause"
    assert entry.reason.endswith(f"game day (ann (uid 0)): accepted at offset {answer['offset']}")
    assert two.pauses() == ["kind:throttle_replication is paused by ann (uid 0): game day"]
    await second.order("pause", {**PAUSE, "on": False}, BEN)
    assert (await first.fresh())["pauses"] == []


async def test_of_two_people_the_slower_one_is_refused_and_told(cluster: Cluster) -> None:
    """Both looked when nothing was changed; the second change would undo what they never saw."""
    one, two = await cluster.start(1), await cluster.start(2)
    (first, _), (second, book) = desk(one), desk(two)
    seen = next(b for b in (await second.fresh())["budgets"] if b["scope"] == "quota")["changed_at"]
    done = await first.order("budget", BUDGET, ANN)

    with pytest.raises(Refused, match=f"somebody changed it meanwhile, at offset {done['offset']}"):
        await second.order("budget", {**BUDGET, "cap": 5}, Who("ben (uid 0)", "why not", seen))
    assert two.state.budgets["quota"].cap == 1
    assert ": refused: somebody changed it" in book.told[-1].reason
    await second.order("budget", {**BUDGET, "cap": 5}, Who("ben (uid 0)", "why not", done["offset"]))
    assert two.state.budgets["quota"].cap == 5


async def test_a_full_journal_keeps_nobody_from_pausing_the_fleet(cluster: Cluster) -> None:
    one = await cluster.start(1)
    first, book = desk(one)
    book.full = True
    answer = await first.order("pause", PAUSE, ANN)

    assert one.state.pauses["kind:throttle_replication"].on
    assert answer["remark"] == "this agent's journal does not have it: disk full"


async def test_what_cannot_be_written_is_refused_in_words(cluster: Cluster) -> None:
    one = await cluster.start(1)
    first, book = desk(one)
    with pytest.raises(Refused, match="there is no open claim 77; open are: none"):
        await first.order("resolve", {"claim": "77"}, ANN)
    cluster.log.unreadable = "it is down"
    cluster.log.wake()
    await eventually(lambda: one.degraded, "degraded mode")
    with pytest.raises(Refused, match=r"nothing was ordered: control topic unreadable .*: it is down"):
        await first.order("pause", PAUSE, ANN)
    with pytest.raises(Refused, match=r"no fresh answer: .*it is down"):
        await first.fresh()
    assert first.show()["degraded"] == one.degraded
    assert book.told == []


async def test_an_order_that_was_not_seen_in_time_is_in_doubt_and_said_to_be(cluster: Cluster) -> None:
    one = await cluster.start(1)
    first, book = desk(one)
    cluster.log.unwritable = "it is down"
    with pytest.raises(Refused, match="it may still be accepted: ottla fleet --fresh tells"):
        await first.order("pause", PAUSE, ANN)
    assert "it may still be accepted" in book.told[-1].reason


async def test_an_agent_without_a_control_topic_says_so() -> None:
    with pytest.raises(Refused, match="takes part in no control topic"):
        desk(None)[0].show()


async def test_a_claim_is_resolved_by_the_name_that_it_had_before_a_lost_tail(cluster: Cluster) -> None:
    one, two = await cluster.start(1), await cluster.start(2)
    claim = await dirty(one, "x:topic/a")
    await cluster.log.lose_tail(len(cluster.log.records) - claim, b"another history")
    await eventually(lambda: claim not in two.state.claims, "the loss")
    await eventually(lambda: list(two.state.claims), "the new claim", 10)
    await cluster.kill(one)
    moved = cluster.agent(1, host="elsewhere")  # where nobody can adopt it
    await moved.start()
    await moved.barrier()
    (now,) = two.state.claims
    await eventually(lambda: two.degraded is None, "the one that is asked to have joined again", 10)
    second, book = desk(two)
    await second.fresh()

    answer = await second.order("resolve", {"claim": str(claim)}, ANN)
    assert answer["remark"] == f"claim {claim} is called {claim_name(now)} by now"
    assert f"claim {claim_name(now)}: game day" in book.told[-1].reason
    assert not two.state.claims
