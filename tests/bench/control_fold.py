"""What folding one record costs with 1,000 live sessions: `python -m tests.bench.control_fold`.

Processor time, so that a busy machine spoils it less. Target: at most 100 µs a record, so that the topic
of 1,000 agents (23 records a second) costs each of them a quarter of a percent of a core.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.control.fold import fold
from agent.control.records import Record, encode
from agent.control.snapshot import dump
from agent.control.state import State
from agent.control.times import Budget, Settings, genesis

SESSIONS = 1_000
RECORDS = 12_000
LOG = "bench"


class Line:
    """Appends records to a log that nobody keeps, and folds them. Writing is no part of the time."""

    def __init__(self) -> None:
        self.state = State()
        self.spent: list[int] = []  # ns of processor time, a record
        self._n: dict[int, int] = {}

    def put(self, t: str, agent: int, session: int, x: dict[str, object]) -> None:
        """One record that must be accepted."""
        self._n[session] = n = self._n.get(session, 0) + 1 if session >= 0 else 0
        at, before = self.state.offset + 1, self.state
        raw = encode(Record(t, 2, LOG, f"broker-{agent}", session, n, before.offset, before.digest, x))
        logged = Logged(at, 0, 1_000_000 + 43 * at, raw)
        begun = time.thread_time_ns()
        self.state, verdict = fold(before, logged)
        self.spent.append(time.thread_time_ns() - begun)
        assert verdict.void is None, verdict

    def told(self, what: str) -> None:
        """The figures since the last ones."""
        middle, mean = sorted(self.spent)[len(self.spent) // 2], sum(self.spent) / len(self.spent)
        print(f"{what:58}{middle / 1_000:8.1f} µs a record (p50), {mean / 1_000:.1f} on average")
        self.spent = []


class Logged:
    """One record as it lies in the log."""

    def __init__(self, offset: int, leader_epoch: int, at: int, value: bytes) -> None:
        self.offset, self.leader_epoch, self.at, self.value = offset, leader_epoch, at, value


def main() -> None:
    """Every figure."""
    line = Line()
    settings = Settings("broker-0", "h", budgets={"quota": Budget(400)})
    line.put("genesis", 0, -1, genesis(LOG, settings))
    for agent in range(SESSIONS):
        line.put("join", agent, -1, _join(agent))
    line.told(f"{SESSIONS} joins")
    sessions = sorted(line.state.sessions)
    for number in range(RECORDS):
        _beat(line, number % SESSIONS, sessions)
    line.told(f"beats, {SESSIONS} sessions (marks included)")
    _with_claims(line, sessions)
    print(f"{'state and digests, canonical':58}{len(dump(line.state)) / 1024:8.0f} KiB")
    print(f"{'a mark':58}{_ms(lambda: dump(line.state)):8.1f} ms every 5,000 records")


def _with_claims(line: Line, sessions: list[int]) -> None:
    for agent in range(500):
        line.put("claim", agent, sessions[agent], _claim(agent))
    line.told("claims, up to 400 granted and 100 that wait")
    for number in range(2_000):
        _beat(line, number % SESSIONS, sessions)
    line.told("beats beside 500 claims")


def _beat(line: Line, agent: int, sessions: list[int]) -> None:
    line.put("beat", agent, sessions[agent], {"status": "ok", "firing": ["UnderReplicatedPartitions"]})


def _join(agent: int) -> dict[str, object]:
    return {
        "host": f"kafka-{agent}.example.org",
        "rack": f"rack-{agent % 3}",
        "incarnation": 1,
        "nonce": f"{agent:032x}",
        "fold_max": 2,
        "version": "1.0.0",
        "redeclare": [],
        "handled": [],
    }


def _claim(agent: int) -> dict[str, object]:
    return {
        "kind": "throttle_replication",
        "scopes": ["quota", f"x:broker/{agent}"],
        "problem": f"Lag/1/broker-{agent}",
        "host": "",
        "priority": 5,
        "why": "too slow",
    }


def _ms(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return (time.thread_time() - begun) * 1_000


if __name__ == "__main__":
    main()
