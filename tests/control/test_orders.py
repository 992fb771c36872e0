"""What a person orders becomes the record that the fold accepts; where it does not, they are told why."""

from __future__ import annotations

from typing import Any

import pytest
from scribe import Scribe

from agent.control.bodies import FOLD
from agent.control.orders import Senseless, body, claim_id, refusal
from agent.control.state import State
from agent.control.times import PRODUCTION, Budget
from agent.control.words import blockers, claim_name

PAUSE = {"on": True, "selector": "*", "for": 60}
RESUME = {"on": False, "selector": "*", "for": 0}
BUDGET: dict[str, Any] = {"scope": "disk_drain", "cap": None, "rate": None, "window": None}


def given(log: Scribe, session: int, t: str, x: dict[str, Any], expect: int | None = None) -> str | None:
    """Order it through this session; why the record is void."""
    made = body(log.state, t, x, expect)
    return log.put(t, log.agent(session), session, {**made, "reason": "r", "by": "ann"}).void


def test_each_replaces_what_stands_now() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    for t, x in (
        ("pause", PAUSE),
        ("pause", RESUME),
        ("pause", PAUSE),
        ("budget", {**BUDGET, "cap": 1}),
        ("budget", {**BUDGET, "rate": 3, "window": 60_000}),
        ("params", {"values": {"age": 1_000}}),
        ("params", {"values": {"age": 2_000, "cooldown/k": 5_000}}),
    ):
        assert given(log, one, t, x) is None, (t, x)
    assert log.state.budgets["disk_drain"] == Budget(1, 3, 60_000), "what was left out stays"
    assert log.state.params["age"] == 2_000
    assert log.state.pauses["*"].on


def test_what_a_cap_of_0_keeps_from_beginning_keeps_nobody_else_waiting() -> None:
    """As a pause of it does: no time can grant it, and it would block its other scopes for ever."""
    log = Scribe.born()
    one = log.join("broker-1")
    assert given(log, one, "budget", {**BUDGET, "cap": 1}) is None
    under_way = log.dirty(one, "disk_drain", "x:broker/2")
    drain = log.claimed(one, "disk_drain", "x:broker/1")
    assert given(log, one, "budget", {**BUDGET, "cap": 0}) is None
    log.release(one, under_way, "done")
    log.wait(one, log.state.params["age"] + 1_000)

    throttle = log.claimed(one, "throttle", "x:broker/1")
    assert (log.is_(drain), log.is_(throttle)) == ("queued", "granted")
    words = ("disk_drain allows 0 at once: ottla fleet budget disk_drain --cap … changes it",)
    assert blockers(log.state, drain)[:1] == words

    assert log.intent(one, throttle).void is None
    log.release(one, throttle, "undone")
    assert given(log, one, "budget", {**BUDGET, "cap": 1}) is None
    assert log.is_(drain) == "granted"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"beat_busy": 15_000}, "twice beat_busy must be less than w"),
        ({"beat_most": 75_000}, "twice beat_most must be less than w_idle"),
    ],
)
def test_no_session_ends_between_two_beats_of_an_agent_that_lives(values: dict[str, int], words: str) -> None:
    log = Scribe.born(PRODUCTION)
    one = log.join("broker-1")
    void = given(log, one, "params", {"values": values})
    assert void == f"two beats do not fit into a silence: {words}"
    assert given(log, one, "params", {"values": {name: at - 1 for name, at in values.items()}}) is None


def test_an_orphan_is_resolved_by_its_name() -> None:
    log = Scribe.born()
    orphan = log.orphan(log.join("broker-1"), "quota")
    two, three = log.join("broker-2"), log.join("broker-3")
    log.adopt(two, orphan)
    log.say(two, "leave")
    assert (log.is_(orphan), log.state.claims[orphan].token > orphan) == ("orphan", True)

    assert given(log, three, "resolve", {"claim": str(orphan)}) is None
    assert log.is_(orphan) == "closed"


def test_the_fold_rises_to_the_next_version() -> None:
    log = Scribe.born(fold=FOLD - 1)
    one = log.join("broker-1")

    assert given(log, one, "raise", {"to": None}) is None
    assert log.state.version == FOLD


def test_whoever_was_faster_wins_and_the_slower_one_is_told_where() -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    assert given(log, one, "budget", {**BUDGET, "cap": 1}) is None
    first = log.state.offset
    void = given(log, one, "budget", {**BUDGET, "cap": 0}, -1)

    assert void is not None
    assert refusal(void) == (
        f"somebody changed it meanwhile, at offset {first}: look again (ottla fleet), then order anew"
    )
    assert given(log, one, "budget", {**BUDGET, "cap": 0}, first) is None


@pytest.mark.parametrize(
    ("t", "x", "words"),
    [
        ("pause", {**PAUSE, "selector": "kinds"}, "kinds is no selector: write *, kind:NAME"),
        ("budget", {**BUDGET, "scope": "x:topic/a", "cap": 2}, "x: scopes are for one at a time"),
        ("budget", {**BUDGET, "rate": 3, "window": 0}, "a rate needs a window: write it like 3/24h"),
        ("params", {"values": {"ages": 1}}, "ages is no parameter"),
        ("params", {"values": {"age": 10**12}}, "out of bounds: age is 0 to 86400000 ms"),
        ("params", {"values": {"h": 3_000_000}}, "the hold time does not fit into W"),
        ("resolve", {"claim": "held"}, "its holder lives and closes it itself"),
        ("raise", {"to": FOLD + 2}, "the fold's version rises one at a time"),
        ("raise", {"to": None}, "these agents do not know the new rules, so update them first: broker-1"),
    ],
)
def test_a_void_order_is_told_in_words(t: str, x: dict[str, Any], words: str) -> None:
    log = Scribe.born()
    one = log.join("broker-1")
    if x.get("claim") == "held":
        x = {"claim": str(log.dirty(one, "quota"))}
    void = given(log, one, t, x)

    assert void is not None
    assert words in refusal(void)


@pytest.mark.parametrize(
    ("t", "x", "words"),
    [
        ("pause", RESUME, r"\* is not paused; paused are: kind:a"),
        ("budget", {**BUDGET, "scope": "reboot", "rate": 1}, "reboot has no budget of its own"),
        ("params", {"values": {}}, "name what to change: act, adoptions"),
        ("resolve", {"claim": "7x"}, "there is no open claim 7x; open are: none"),
    ],
)
def test_an_order_that_names_nothing_is_not_even_written(t: str, x: dict[str, Any], words: str) -> None:
    log = Scribe.born()
    assert given(log, log.join("broker-1"), "pause", {**PAUSE, "selector": "kind:a"}) is None

    with pytest.raises(Senseless, match=words):
        body(log.state, t, x)
    with pytest.raises(Senseless, match="no log is born"):
        body(State(), t, x)


@pytest.mark.parametrize("claim", [0, 41, 10**15 + 41, 3 * 10**15 + 41])
def test_a_claim_s_name_leads_back_to_it(claim: int) -> None:
    assert claim_id(claim_name(claim)) == claim


@pytest.mark.parametrize("name", ["", "x", "-1", ".1", "4.x", "9" * 30, "٣"])
def test_what_is_no_name_leads_nowhere(name: str) -> None:
    assert claim_id(name) == -1
