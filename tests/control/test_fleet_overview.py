"""The state as people see it: agents, claims with whom they wait for, budgets used of cap and rate, voids."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agents import World
from scribe import LOG, Scribe

from agent.control.gossip import Gossip
from agent.control.overview import overview, unwell
from agent.control.state import State
from agent.control.times import DAY


def budget(log: Scribe, scope: str) -> dict[str, Any]:
    """The row of one scope."""
    return next(row for row in overview(log.state)["budgets"] if row["scope"] == scope)


def test_agents_with_what_they_last_said() -> None:
    log, gossip = Scribe.born(), Gossip()
    log.join("broker-10")
    one = log.join("broker-2", rack="r1", version="0.9")
    log.put("beat", "broker-2", one, {"status": "draining", "firing": ["Full"]})
    gossip.saw(log.state, log.last)

    told = overview(log.state, gossip)

    assert (told["log"], told["offset"], told["gone"]) == (LOG, log.state.offset, [])
    assert [agent["agent"] for agent in told["agents"]] == ["broker-2", "broker-10"], "by node, not by letter"
    first = told["agents"][0]
    assert (first["rack"], first["version"], first["firing"], first["status"]) == (
        "r1",
        "0.9",
        ["Full"],
        "draining",
    )
    assert first["age_ms"] == log.step
    log.say(one, "leave")
    assert overview(log.state)["gone"] == ["broker-2"]


def test_an_agent_that_is_paused_by_itself_is_told() -> None:
    """By the words of its beat: to an older release they are words like any others."""
    log, gossip = Scribe.born(), Gossip()
    one, two = log.join("broker-1"), log.join("broker-2")
    log.put("beat", "broker-1", one, {"status": "paused: new disks (ann); drain_disk for /d", "firing": []})
    gossip.saw(log.state, log.last)
    log.put("beat", "broker-2", two, {"status": "drain_disk for paused: ", "firing": []})
    gossip.saw(log.state, log.last)

    told = overview(log.state, gossip)
    assert [agent["paused"] for agent in told["agents"]] == ["new disks (ann)", None]
    assert unwell(told) == ["broker-1 is paused by itself: new disks (ann)"]
    for agent in told["agents"]:
        del agent["paused"]
    assert unwell(told) == [], "an older agent's answer"


def test_claims_and_what_they_wait_for() -> None:
    log = Scribe.born()
    one, two = log.join("broker-1"), log.join("broker-2")
    held = log.dirty(one, "election", "x:topic/a")
    log.claimed(two, "election", problem="q")
    rows = {claim["claim"]: claim for claim in overview(log.state)["claims"]}

    assert (rows[str(held)]["state"], rows[str(held)]["holder"]) == ("dirty", "broker-1")
    (waits,) = [row["waits_for"] for row in rows.values() if row["state"] == "queued"]
    assert waits[0].startswith("election is held by broker-1 since offset ")
    assert (budget(log, "election")["used"], budget(log, "election")["queued"]) == (1, 1)


def test_a_used_up_rate_says_when_one_is_free() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.order(one, "budget", scope="restart", cap=1, rate=2, window=DAY)
    began = []
    for _ in range(2):
        claim = log.dirty(one, "restart")
        began.append(log.now)
        assert budget(log, "restart")["began"] == len(began)
        log.release(one, claim, "done")
    row = budget(log, "restart")

    assert (row["rate"], row["window_ms"], row["free_at"]) == (2, DAY, began[0] + DAY)
    log.wait(one, 1_000)
    assert budget(log, "restart")["free_at"] == began[0] + DAY, "an instant, not a countdown"


def test_scopes_below_a_prefix_and_limits_of_remedies_have_rows_where_they_are_used() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    assert [row["scope"] for row in overview(log.state)["budgets"]] == sorted(log.state.budgets)
    log.dirty(one, "restart/rack-2", limit={"name": "Full", "rate": 4, "window": DAY})

    assert budget(log, "restart/rack-2")["used"] == 1
    assert (budget(log, "limit/Full")["began"], budget(log, "limit/Full")["rate"]) == (1, 4)


def test_pauses_in_force_voids_by_reason_and_params_to_come() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    log.order(one, "pause", on=True, selector="kind:x", **{"for": 20})
    at = log.state.offset
    until = log.now + 20_000
    log.order(one, "params", values={"w": log.state.params["w"] - 1})
    log.raw(b"\xff")
    told = overview(log.state)

    (pause,) = told["pauses"]
    assert (pause["selector"], pause["until"], pause["changed_at"]) == ("kind:x", until, at)
    assert told["coming"]["w"]["value"] == log.state.params["w"] - 1
    assert told["voids"] == {"not printable ASCII": 1}
    log.wait(one, 21_000)
    assert overview(log.state)["pauses"] == []


def test_what_a_person_should_look_at() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    assert unwell(overview(log.state)) == []
    orphan = log.orphan(one, "quota")
    log.epoch += 1
    log.raw(b"\xff")
    said = unwell(overview(log.state))

    assert said[0] == "the leader changed, and broker-1 has yet to be heard since"
    assert said[1].startswith(f"claim {orphan} (throttle_replication of broker-1) is an orphan")
    assert unwell(overview(State())) == ["no log is born: ottla control init"]


@pytest.mark.parametrize("seed", range(3))
def test_any_state_can_be_told(seed: int) -> None:
    """Whatever crashes, votes, pauses and lost records made of it: data for JSON, no row left out."""
    world = World(seed)
    world.run(300, lambda _: None)
    for state in world.states[::20]:
        told = overview(state)
        assert json.loads(json.dumps(told)) == told
        assert len(told["claims"]) == len(state.claims)
        assert len(told["agents"]) == len(state.sessions)
        for row in told["budgets"]:
            held = [c for c in told["claims"] if row["scope"] in c["scopes"] and c["state"] != "queued"]
            assert row["used"] == len(held)
