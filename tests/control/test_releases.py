"""Mixed releases (coordination.md sections 3 and 6): at one fold version an older and a newer release judge
each record alike, in the same words, since these are part of the digest."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from releases import BEFORE, NEXT, OURS, Core, Texts
from scribe import CALM, LOG, NONCE, Scribe, Written, effect

from agent.control.admission import UNKNOWN_FOLD, born_elsewhere
from agent.control.bodies import BODIES, FOLD
from agent.control.membership import Membership
from agent.control.overview import overview, unwell
from agent.control.records import BadRecord, Record, encode
from agent.control.times import Settings, genesis

LOGS = int(os.environ.get("OTTLA_MIXED_LOGS", "40"))
RECORDS = 80
LATER = {"plan": [{"resource": "topic/a", "key": "k"}], "mood": True, "to": "broker-2", "": 1}


class Writer:
    """Writes what agents of any release may write, and what none would; most of it at `version`."""

    def __init__(self, seed: int, version: int) -> None:
        self.random = Random(seed)
        self.version = version
        self.n: Counter[int] = Counter()

    def records(self, state: Any) -> bytes:
        """The next one upon this state."""
        t = self.random.choice([*BODIES, "cede", "elect", "join", "claim", "claim", "beat", "intent"])
        sessions, claims = sorted(state.sessions), sorted(state.claims)
        s = self.random.choice(sessions) if sessions and t not in ("genesis", "join") else -1
        claim = state.claims[self.random.choice(claims)] if claims else None
        value = {
            "t": t,
            "f": self.random.choice([self.version] * 6 + [1, 2, 3, 4]),
            "log": self.random.choice([LOG] * 20 + ["log-2"]),
            "a": state.sessions[s].agent if s >= 0 else f"broker-{self.random.randrange(1, 4)}",
            "s": s,
            "n": 0 if s < 0 else state.sessions[s].n + 1,
            "b": state.offset,
            "d": state.digest if self.random.random() < 0.95 else "0" * 64,
            "x": self._body(t, state, claim),
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    def _body(self, t: str, state: Any, claim: Any) -> dict[str, Any]:
        body = dict(_right(t, state, claim, self.random))
        if self.random.random() < 0.4:
            name = self.random.choice(list(LATER))
            body[name] = LATER[name]
        if body and self.random.random() < 0.1:
            body[self.random.choice(list(body))] = self.random.choice([None, True, -1, [], {}, "x" * 600])
        if body and self.random.random() < 0.05:
            del body[self.random.choice(list(body))]
        return body


def _right(t: str, state: Any, claim: Any, random: Random) -> dict[str, Any]:
    held = {"id": claim.id, "token": claim.token} if claim else {"id": 1, "token": 1}
    wanted = {"kind": "k", "scopes": [random.choice(["quota", "x:a", "x:b"])], "host": ""}
    ordered = {"reason": "r", "by": "ann", "expect": -1}
    joined = {"host": "", "rack": "", "nonce": NONCE, "version": "0", "redeclare": [], "handled": []}
    agent = f"broker-{random.randrange(1, 4)}"
    bodies: dict[str, dict[str, Any]] = {
        "genesis": genesis(LOG, Settings(agent, "", times=CALM)),
        "join": {**joined, "incarnation": random.randrange(1, 40), "fold_max": random.randrange(1, 4)},
        "beat": {"status": "", "firing": []},
        "note": {"entry": "e"},
        "claim": {**wanted, "problem": f"p{random.randrange(50)}", "priority": 1, "why": ""},
        "intent": {**held, "effect": effect("k"), "via": 1},
        "release": {**held, "outcome": random.choice(["done", "cancelled"])},
        "expire": {"session": next(iter(state.sessions), 0), "last": 0, "waited": 9_000},
        "adopt": held,
        "found": {**wanted, "problem": "p", "effect": effect(f"f{random.randrange(9)}")},
        "snapshot": {"at": 0, "hash": "0" * 64, "state": {}},
        "pause": {**ordered, "on": False, "selector": "*", "for": 1},
        "budget": {**ordered, "scope": "quota", "cap": 3, "rate": 0, "window": 0},
        "params": {**ordered, "values": {"age": 1}},
        "resolve": {"reason": "r", "by": "ann", **held},
        "raise": {**ordered, "to": 9},
        "cede": {"to": "broker-2"},
    }
    return bodies.get(t, {})


def born(version: int) -> bytes:
    settings = Settings("broker-1", "", times=CALM, fold_max=version)
    return encode(Record("genesis", version, LOG, "broker-1", -1, 0, -1, "0" * 64, genesis(LOG, settings)))


def log_of(seed: int, version: int, newer: Core) -> Iterator[Written]:
    """A log as it grows: some of it before its birth."""
    writer = Writer(seed, version)
    for offset in range(RECORDS):
        value = born(version) if offset == seed % 4 and not newer.state.log else writer.records(newer.state)
        yield Written(offset, offset // 50, 1_000_000 + 200 * offset, value)


@pytest.mark.parametrize(
    ("older", "newer", "version"), [(BEFORE, OURS, FOLD - 1), (OURS, NEXT, FOLD)], ids=["before", "next"]
)
def test_section_6_two_releases_judge_every_record_alike_at_the_version_that_both_know(
    tmp_path_factory: pytest.TempPathFactory, older: Texts, newer: Texts, version: int
) -> None:
    folder = tmp_path_factory.mktemp("releases")
    old, new = Core(f"older_{version}", folder, older), Core(f"newer_{version}", folder, newer)
    assert (old.newest, new.newest) == (version, version + 1)
    unborn, seen = (old.state, new.state), Counter[str]()
    for seed in range(LOGS):
        old.state, new.state = unborn
        for logged in log_of(seed, version, new):
            old.take(logged)
            new.take(logged)
            if not old.state.log and UNKNOWN_FOLD in old.state.voids:
                break  # born above it by chance: the older release stands still from here on
            assert (old.void, old.state.digest) == (new.void, new.state.digest), (seed, logged)
            seen[(new.void or "accepted").partition(":")[0]] += 1
        assert old.state.voids == new.state.voids or UNKNOWN_FOLD in old.state.voids
    for what in (
        "accepted",
        "no log is born",
        "unknown type",
        "another fold version",
        "another log",
        "not a body of type claim",
        "not a body of type beat",
        "the log is born already",
        "stale, or from a history that was lost",
    ):
        assert seen[what], f"{what} never happened"
    assert seen["accepted"] > LOGS * 5


def test_section_6_a_log_born_under_a_later_version_is_no_unborn_one() -> None:
    """An old agent that took it for unborn would let another one be born, and act in it all alone."""
    log = Scribe()
    value = json.loads(born(FOLD))
    value["f"] = value["x"]["fold"] = FOLD + 7
    value["x"]["mood"] = True
    log.raw(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
    assert log.last.void == f"{UNKNOWN_FOLD}: {FOLD + 7}"
    assert log.state.log == ""
    words = "the log was born under a fold version that this release does not know: update it"
    assert born_elsewhere(log.state.log, log.state.voids) == words
    assert unwell(overview(log.state)) == [words]
    member = Membership(Settings("broker-1", "h", create=True), 0)
    member.saw(log.state, log.last, 0)
    assert member.halted
    assert member.degraded == words


def test_section_6_what_its_own_version_does_not_have_is_not_written() -> None:
    plan = {"plan": LATER["plan"]}
    x = {**_right("claim", Scribe().state, None, Random(0)), **plan}
    one = Record("claim", FOLD, LOG, "broker-1", 3, 7, 12, "ab" * 32, x)
    assert encode(one)
    with pytest.raises(BadRecord, match="not a body of type claim"):
        encode(Record("claim", FOLD - 1, LOG, "broker-1", 3, 7, 12, "ab" * 32, x))
