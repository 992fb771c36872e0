"""Laws of starting from a snapshot (coordination.md section 6), under random schedules of the fold.

True snapshots and false ones are written into them; the log is a FakeLog, what reads it is the agent's own.
"""

from __future__ import annotations

import asyncio
import json
from random import Random

from agents import World
from fake_log import FakeLog
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scribe import LOG

from agent.control.canonical import canonical
from agent.control.carried import Carried
from agent.control.confirmation import OWN_JOURNAL
from agent.control.digests import sha256
from agent.control.fold import fold
from agent.control.records import Record, encode
from agent.control.snapshot import load
from agent.control.state import State
from agent.control_topic.follower import BeginningGone, Follower
from agent.control_topic.start import Begin, Start
from agent.kafka.batches import Record as Logged

STEPS = 260


class History:
    """A schedule with snapshots in it, and what its fold from the start makes of them."""

    def __init__(self, seed: int, every: int) -> None:
        self.every = every
        self.random = Random(seed + 1)
        self.marks: list[str] = []  # texts that no snapshot was written of yet
        self.false = 0
        self.seen = 2
        self.world = World(seed, every=every)
        self.world.run(STEPS, self.write)

    def write(self, world: World) -> None:
        """After each record; now and then a snapshot."""
        scribe = world.scribe
        if len(world.states) == self.seen:
            return
        self.seen = len(world.states)
        if scribe.last.marked:
            self.marks.append(scribe.last.marked)
        live = sorted(scribe.state.sessions)
        if self.marks and live and self.random.random() < 0.3:
            text = self.marks.pop()
            self._snapshot(self.random.choice(live), text)
            if self.random.random() < 0.3:
                self._lie(self.random.choice(live), text)

    def _snapshot(self, session: int, text: str) -> None:
        self._say(self.world.scribe.state, session, self._body(text))

    @staticmethod
    def _body(text: str) -> dict[str, object]:
        x = json.loads(text)
        return {"at": x["offset"], "hash": sha256(text), "state": x}

    def _lie(self, session: int, text: str) -> None:
        """One of a state that never was, with the right hash; its stamp is this log's, or that of the lie."""
        false = json.loads(text)
        what = self.random.choice(["handled", "claims", "clock", "sessions"])
        false[what] = {"p": 10**12} if what == "handled" else 7 if what == "clock" else {}
        body = self._body(canonical(false))
        state = self.world.scribe.state
        if self.random.random() < 0.7:
            state = load(body)
            for record in self.world.scribe.log[state.offset + 1 :]:
                state, _ = fold(state, record, self.every)
        if session in state.sessions:
            self._say(state, session, body)
            self.false += 1

    def _say(self, state: State, session: int, body: dict[str, object]) -> None:
        live = state.sessions[session]
        stamp = (live.agent, session, live.n + 1, state.offset, state.digest)
        self.world.scribe.raw(encode(Record("snapshot", state.version, LOG, *stamp, body)))
        self.world.states.append(self.world.scribe.state)
        self.seen += 1

    def log(self, start: int = 0) -> FakeLog:
        """The log as it lies in Kafka, from that offset on."""
        log = FakeLog(lambda: 0, topic_id=LOG)
        log.log_start = start
        log.records = [
            Logged(r.offset, r.leader_epoch, r.at, r.value, len(r.value) + 68) for r in self.world.scribe.log
        ]
        return log

    def proved(self) -> list[int]:
        """The places of snapshots that were accepted, and that another agent's later stamp covers."""
        taken: list[tuple[int, int, str]] = []
        proved: set[int] = set()
        state = State()
        for record in self.world.scribe.log:
            state, verdict = fold(state, record, self.every)
            r = verdict.record
            if r is None or verdict.void is not None:
                continue
            proved |= {at for at, place, writer in taken if r.b >= place and r.a != writer}
            if r.t == "snapshot":
                taken.append((r.x["at"], state.offset, r.a))
        return sorted(proved)

    def true(self, at: int) -> State:
        """The state at an offset."""
        return replace(self.world.states[at + 1], moves=())


def found(history: History, log: FakeLog, own: Carried | None = None) -> tuple[Begin, State]:
    """Where the agent begins, and what it comes to at the end."""

    async def kept() -> Carried:
        return own or Carried()

    async def story() -> tuple[Begin, State]:
        begin = await Start(log, every=history.every).find(kept)
        follower = Follower(log, begin.state, history.every)
        while not follower.caught_up:
            async for _ in follower.read(eager=True):
                pass
        return begin, follower.state

    return asyncio.run(story())


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(6, 30))
def test_a_start_is_proved_and_true_and_leads_to_what_the_whole_log_folds_to(seed: int, every: int) -> None:
    history = History(seed, every)
    proved = history.proved()
    begin, state = found(history, history.log())
    if begin.state.offset >= 0:
        assert begin.state == history.true(begin.state.offset)
        assert begin.state.offset == proved[-1]
    else:
        assert not proved
    assert state == history.world.states[-1]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(6, 20), st.floats(0, 1))
def test_where_the_beginning_is_gone_it_is_a_proved_snapshot_or_nothing(
    seed: int, every: int, cut: float
) -> None:
    history = History(seed, every)
    start = 1 + int(cut * (len(history.world.scribe.log) - 2))
    proved = [at for at in history.proved() if at >= start]
    try:
        begin, state = found(history, history.log(start))
    except BeginningGone:
        assert not proved
        return
    assert begin.state.offset == proved[-1]
    assert state == history.world.states[-1]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(6, 20), st.booleans())
def test_the_own_journal_proves_what_this_agent_came_to_and_nothing_else(
    seed: int, every: int, true: bool
) -> None:
    history = History(seed, every)
    last = len(history.world.scribe.log) - 1
    digest = history.world.states[-1].digest if true else "f" * 64
    begin, state = found(history, history.log(), Carried(log=LOG, offset=last, digest=digest))
    proved = history.proved()
    if OWN_JOURNAL in begin.words:
        assert true
    else:
        assert begin.state.offset == (proved[-1] if proved else -1)
    assert state == history.world.states[-1]
