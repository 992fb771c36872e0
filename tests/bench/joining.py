"""What it takes to come to the state of a log of 200,000 records, with and without snapshots in it.

`python -m tests.bench.joining`. Processor time of what an agent does until it can join. The log lies in
memory, so what the network adds is not in it. 30 agents beat; each mark is written as a snapshot.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from agent.control.digests import sha256
from agent.control.fold import fold
from agent.control.records import Record, encode
from agent.control.snapshot import sealed
from agent.control.state import State
from agent.control.times import Settings, genesis
from agent.control_topic.follower import Follower
from agent.control_topic.start import FROM_START, Begin, Start
from agent.kafka.batches import Record as Logged

RECORDS = 200_000
AGENTS = 30
LOG = "bench"
MOST = 10_000  # records of one answer, about 4 MiB


class MemoryLog:
    """agent.control_topic.ports.Log, of 30 agents that beat in turn."""

    topic_id = LOG
    log_start = 0

    def __init__(self) -> None:
        self.records: list[Logged] = []
        self.state = State()
        self._n: dict[int, int] = {}
        self.put("genesis", 0, -1, genesis(LOG, Settings("broker-0", "h")))
        for agent in range(AGENTS):
            self.put("join", agent, -1, _join(agent))
        self._beats(sorted(self.state.sessions))

    def _beats(self, sessions: Sequence[int]) -> None:
        mark = ""
        while len(self.records) < RECORDS:
            turn = len(self.records) % AGENTS
            if mark:
                self._snapshot(turn, sessions[turn], mark)
                mark = ""
            else:
                mark = self.put("beat", turn, sessions[turn], {"status": "ok", "firing": ["Lag"]})

    def put(self, t: str, agent: int, session: int, x: dict[str, object]) -> str:
        """One record more; the text of the mark, where it is one."""
        return self._land(encode(self._record(t, agent, session, x)))

    def _record(self, t: str, agent: int, session: int, x: dict[str, object]) -> Record:
        n = self._n[session] = self._n.get(session, 0) + 1 if session >= 0 else 0
        state = self.state
        return Record(t, 2, LOG, f"broker-{agent}", session, n, state.offset, state.digest, x)

    def _snapshot(self, agent: int, session: int, text: str) -> None:
        x = {"at": self.state.mark.offset, "hash": sha256(text), "state": {}}
        self._land(sealed(self._record("snapshot", agent, session, x), text))

    def _land(self, raw: bytes) -> str:
        at = len(self.records)
        self.records.append(Logged(at, 0, 1_000_000 + 1_000 * at, raw, len(raw) + 68))
        self.state, verdict = fold(self.state, self.records[-1])
        assert verdict.void is None, verdict.void
        return verdict.marked or ""

    async def append(self, value: bytes, *, apart: bool = False) -> int:
        """Nobody writes any more."""
        raise NotImplementedError

    async def fetch(self, offset: int, *, max_wait_ms: int, min_bytes: int) -> Sequence[Logged]:
        """What there is."""
        return self.records[offset : offset + MOST]

    async def bounds(self) -> tuple[int, int]:
        """All of it."""
        return 0, len(self.records)


def _join(agent: int) -> dict[str, object]:
    named = {"host": f"kafka-{agent}.example.org", "rack": "", "incarnation": 1, "nonce": f"{agent:032x}"}
    return {**named, "fold_max": 2, "version": "1.0.0", "redeclare": [], "handled": []}


async def _joined(log: MemoryLog, *, snapshots: bool) -> tuple[State, Begin]:
    begin = await Start(log).find() if snapshots else FROM_START
    follower = Follower(log, begin.state)
    while not follower.caught_up:
        async for _ in follower.read(eager=True):
            pass
    return follower.state, begin


def main() -> None:
    """Both figures."""
    log = MemoryLog()
    for snapshots in (False, True):
        begun = time.process_time()
        state, begin = asyncio.run(_joined(log, snapshots=snapshots))
        spent = time.process_time() - begun
        assert state == log.state
        print(f"{RECORDS} records, folded from {begin.words}: {spent:.2f} s of processor time")


if __name__ == "__main__":
    main()
