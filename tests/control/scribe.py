"""Writes records as agents do into a log that is a list, and folds them; the tests of the core share it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any

from msgspec.structs import replace

from agent.control.bodies import FOLD
from agent.control.digests import sha256
from agent.control.fold import Verdict, fold
from agent.control.records import Record, encode
from agent.control.state import State
from agent.control.times import EVERY, LAB, Budget, Settings, Times, genesis

LOG = "log-1"
CALM = changed(LAB, settle=0, probation=0)  # a log without a beginning: what is tested can begin at once
NONCE = "0" * 32


@dataclass(frozen=True)
class Written:
    """One record of the log."""

    offset: int
    leader_epoch: int
    at: int
    value: bytes


def effect(*keys: str, new: str = "1") -> dict[str, Any]:
    """An effect with one change for each key."""
    return {
        "action": "throttle_replication",
        "owner": "broker-1",
        "changes": [
            {"resource": "broker/1", "key": k, "operation": "set", "prior": None, "new": new} for k in keys
        ],
    }


@dataclass
class Scribe:
    """A log and its state; time passes by `step` ms a record."""

    state: State = field(default_factory=State)
    log: list[Written] = field(default_factory=list)
    step: int = 100
    now: int = 1_000_000
    epoch: int = 0
    sequence: dict[int, int] = field(default_factory=dict)
    last: Verdict = field(default_factory=lambda: Verdict(None, (), None))  # on the newest record
    every: int = EVERY  # offsets between two marks

    @classmethod
    def born(
        cls,
        times: Times = CALM,
        fold: int = FOLD,
        budgets: Mapping[str, Budget] | None = None,
        every: int = EVERY,
        after: str = "",
    ) -> Scribe:
        """A log after genesis, in place of the log `after`."""
        self = cls(every=every)
        settings = Settings("broker-1", "h", times=times, budgets=budgets or {}, fold_max=fold)
        self.put("genesis", "broker-1", -1, genesis(LOG, settings, after))
        return self

    def raw(self, value: bytes) -> Verdict:
        """Appends any bytes."""
        self.now += self.step
        record = Written(len(self.log), self.epoch, self.now, value)
        self.log.append(record)
        self.state, self.last = fold(self.state, record, self.every)
        return self.last

    def put(self, t: str, agent: str, session: int, x: Mapping[str, Any], **envelope: Any) -> Verdict:
        """Appends a record of this session, stamped rightly but for what `envelope` says."""
        self.sequence[session] = n = 0 if session < 0 else self.sequence.get(session, 0) + 1
        version = self.state.version or x.get("fold", FOLD)
        record = Record(t, version, LOG, agent, session, n, self.state.offset, self.state.digest, x)
        return self.raw(encode(replace(record, **envelope)))

    def join(self, agent: str, **body: Any) -> int:
        """A session that must be accepted."""
        last = self.state.incarnations.get(agent, 0)
        x = {
            "host": agent,
            "rack": "",
            "incarnation": last + 1,
            "nonce": NONCE,
            "fold_max": FOLD,
            "version": "0",
            "redeclare": [],
            "handled": [],
        }
        verdict = self.put("join", agent, -1, x | body)
        assert verdict.void is None, verdict
        return self.state.offset

    def agent(self, session: int) -> str:
        """Whose session it is or was."""
        live = self.state.sessions.get(session)
        return live.agent if live else "broker-1"

    def say(self, session: int, t: str, /, **x: Any) -> Verdict:
        """Any record of this session."""
        return self.put(t, self.agent(session), session, x)

    def beat(self, session: int) -> Verdict:
        """A beat."""
        return self.say(session, "beat", status="", firing=[])

    def claim(self, session: int, *scopes: str, problem: str = "", **x: Any) -> Verdict:
        """A claim; a problem of its own unless one is named."""
        body = {
            "kind": "throttle_replication",
            "scopes": list(scopes),
            "problem": problem or f"p{len(self.log)}",
            "host": "",
            "priority": 5,
            "why": "too slow",
        }
        return self.put("claim", self.agent(session), session, body | x)

    def claimed(self, session: int, *scopes: str, **x: Any) -> int:
        """The id of a claim that must be accepted."""
        verdict = self.claim(session, *scopes, **x)
        assert verdict.void is None, verdict
        return self.state.offset

    def intent(self, session: int, claim: int, *keys: str, **x: Any) -> Verdict:
        """An intent with the claim's token unless another is given."""
        known = self.state.claims.get(claim)
        body = {
            "id": claim,
            "token": known.token if known else 0,
            "effect": effect(*keys or ("k",)),
            "via": 1,
        }
        return self.put("intent", self.agent(session), session, body | x)

    def release(self, session: int, claim: int, outcome: str, **x: Any) -> Verdict:
        """A release with the claim's token unless another is given."""
        known = self.state.claims.get(claim)
        body = {"id": claim, "token": known.token if known else 0, "outcome": outcome}
        return self.put("release", self.agent(session), session, body | x)

    def dirty(self, session: int, *scopes: str, **x: Any) -> int:
        """The id of a claim that was granted and is dirty."""
        claim = self.claimed(session, *scopes, **x)
        assert self.intent(session, claim).void is None
        return claim

    def adopt(self, session: int, claim: int, **x: Any) -> Verdict:
        """An adoption with the claim's token unless another is given."""
        known = self.state.claims.get(claim)
        body = {"id": claim, "token": known.token if known else 0}
        return self.put("adopt", self.agent(session), session, body | x)

    def expire(self, session: int, target: int, waited: int, **x: Any) -> Verdict:
        """A vote against `target`."""
        known = self.state.sessions.get(target)
        body = {"session": target, "last": known.last if known else 0, "waited": waited}
        return self.put("expire", self.agent(session), session, body | x)

    def order(self, session: int, t: str, /, **x: Any) -> Verdict:
        """An operator's record; `expect` is -1 unless given."""
        return self.put(t, self.agent(session), session, {"reason": "r", "by": "ann", "expect": -1} | x)

    def orphan(self, session: int, *scopes: str, **x: Any) -> int:
        """The id of a claim that was dirty when its session left; the agent joins again at once."""
        agent = self.agent(session)
        claim = self.dirty(session, *scopes, **x)
        self.say(session, "leave")
        self.join(agent)
        return claim

    def snapshot(self, session: int, text: str, **x: Any) -> Verdict:
        """The mark as its text has it, unless `x` says otherwise."""
        body = {"at": self.state.mark.offset, "hash": sha256(text), "state": json.loads(text)}
        return self.put("snapshot", self.agent(session), session, body | x)

    def is_(self, claim: int) -> str:
        """The claim's state in a word."""
        return str(self.state.claims[claim].state) if claim in self.state.claims else "closed"

    def wait(self, session: int, ms: int) -> None:
        """Lets so much log time pass, by beats."""
        until = self.state.clock + ms
        while self.state.clock < until:
            self.now += min(5_000, until - self.state.clock) - self.step
            self.beat(session)
