"""Marks and snapshots (coordination.md section 3, last line; sections 2 `snapshot` and 6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from scribe import Scribe

from agent.control.claims import DIRTY
from agent.control.digests import sha256
from agent.control.fold import Verdict, fold
from agent.control.snapshot import BadSnapshot, dump, fits, load
from agent.control.state import Mark
from agent.control.times import EVERY


def marked() -> tuple[Scribe, int, str]:
    """A log just behind its first mark (but that at offset 0), the session that writes, the mark's text."""
    log = Scribe.born()
    one, two = log.join("broker-1"), log.join("broker-2")
    log.dirty(one, "x:topic/a", limit={"name": "a", "rate": 2, "window": 9})
    log.release(two, log.dirty(two, "restart", problem="p"), "done")
    log.order(two, "pause", on=True, selector="kind:k", **{"for": 60})
    log.expire(one, two, 8_000)
    log.order(one, "params", values={"h": 5_000})
    log.epoch = 1
    log.beat(one)
    verdict = Verdict(None, (), None)
    while log.state.offset < EVERY:
        verdict = log.raw(b"")
    assert verdict.marked is not None
    return log, one, verdict.marked


@pytest.fixture(scope="module")
def once() -> tuple[Scribe, int, str]:
    """Such a log, to be copied."""
    return marked()


@pytest.fixture
def log(once: tuple[Scribe, int, str]) -> Scribe:
    """A log that a test may go on with."""
    first = once[0]
    return Scribe(first.state, list(first.log), first.step, first.now, first.epoch, dict(first.sequence))


def body(once: tuple[Scribe, int, str], **x: Any) -> dict[str, Any]:
    """The snapshot of the mark."""
    return {"at": EVERY, "hash": sha256(once[2]), "state": json.loads(once[2])} | x


def test_section_3_the_mark_is_the_hash_of_the_state_with_the_former_mark_in_place(
    once: tuple[Scribe, int, str],
) -> None:
    state = once[0].state
    assert state.mark == Mark(EVERY, sha256(once[2]))
    assert json.loads(once[2])["mark"][0] == 0
    assert fits(once[2])


def test_section_2_one_snapshot_of_the_mark_is_accepted(once: tuple[Scribe, int, str], log: Scribe) -> None:
    one = once[1]
    for wrong in ({"at": EVERY - 1}, {"hash": "0" * 64}):
        assert log.say(one, "snapshot", **body(once, **wrong)).void == "not the mark"
    heard = log.state.sessions[one].heard
    assert log.say(one, "snapshot", **body(once)).void is None
    assert log.state.sessions[one].heard > heard
    heard = log.state.sessions[one].heard
    assert log.say(one, "snapshot", **body(once)).void == "a snapshot of it is there"
    assert log.state.sessions[one].heard == heard  # renews nothing if void


def test_section_6_a_joiner_from_the_snapshot_comes_to_the_same_state(
    once: tuple[Scribe, int, str], log: Scribe
) -> None:
    one = once[1]
    log.say(one, "snapshot", **body(once))
    log.claimed(one, "x:topic/b")
    for session in sorted(log.state.sessions):
        log.beat(session)
    log.join("broker-2")
    joiner = load(body(once))
    for record in log.log[EVERY + 1 :]:
        joiner, _ = fold(joiner, record)
    assert joiner == log.state
    assert dump(joiner) == dump(log.state)
    assert [c.state for c in joiner.claims.values()] == [DIRTY, "granted"]


def test_section_6_a_state_that_is_not_its_hash_is_no_start(once: tuple[Scribe, int, str]) -> None:
    state = json.loads(once[2])
    with pytest.raises(BadSnapshot, match="its hash is another"):
        load(body(once, state=state | {"clock": state["clock"] + 1}))
    text = dump(replace(once[0].state, offset=7))
    with pytest.raises(BadSnapshot, match="it is of offset 7, not 5000"):
        load(body(once, state=json.loads(text), hash=sha256(text)))
    with pytest.raises(BadSnapshot, match="it is no state"):
        load(body(once, state={"claims": 1}, hash=sha256('{"claims":1}')))
