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
REMEMBERED, MEASURED = 1_500, 300  # claims that ended
LOG = "bench"


class Line:
    """Appends records to a log that nobody keeps, and folds them. Writing is no part of the time."""

    def __init__(self) -> None:
        self.state = State()
        self.spent: dict[str, list[int]] = {}  # ns of processor time of each record, by type
        self._n: dict[int, int] = {}

    def put(self, t: str, agent: int, session: int, x: dict[str, object]) -> None:
        """One record that must be accepted."""
        self._n[session] = n = self._n.get(session, 0) + 1 if session >= 0 else 0
        at, before = self.state.offset + 1, self.state
        raw = encode(Record(t, 2, LOG, f"broker-{agent}", session, n, before.offset, before.digest, x))
        logged = Logged(at, 0, 1_000_000 + 43 * at, raw)
        begun = time.thread_time_ns()
        self.state, verdict = fold(before, logged)
        self.spent.setdefault(t, []).append(time.thread_time_ns() - begun)
        assert verdict.void is None, verdict

    def told(self, t: str, what: str) -> None:
        """The figures of this type's records since the last ones."""
        spent = sorted(self.spent.pop(t))
        middle, mean = spent[len(spent) // 2], sum(spent) / len(spent)
        print(f"{what:58}{middle / 1_000:8.1f} µs a record (p50), {mean / 1_000:.1f} on average")


class Logged:
    """One record as it lies in the log."""

    def __init__(self, offset: int, leader_epoch: int, at: int, value: bytes) -> None:
        self.offset, self.leader_epoch, self.at, self.value = offset, leader_epoch, at, value


def main() -> None:
    """Every figure."""
    line, sessions = _joined()
    line.told("join", f"{SESSIONS} joins")
    for number in range(RECORDS):
        _beat(line, number % SESSIONS, sessions)
    line.told("beat", f"beats, {SESSIONS} sessions (marks included)")
    _with_claims(line, sessions)
    print(f"{'state and digests, canonical':58}{len(dump(line.state)) / 1024:8.0f} KiB")
    print(f"{'a mark':58}{_ms(lambda: dump(line.state)):8.1f} ms every 5,000 records")
    _with_memories(*_joined())


def _joined() -> tuple[Line, list[int]]:
    line = Line()
    settings = Settings("broker-0", "h", budgets={"quota": Budget(400)})
    line.put("genesis", 0, -1, genesis(LOG, settings))
    for agent in range(SESSIONS):
        line.put("join", agent, -1, _join(agent))
    return line, sorted(line.state.sessions)


def _with_memories(line: Line, sessions: list[int]) -> None:
    """Whole claims, one after the other: those of the first ones are still remembered at the last ones."""
    for number in range(2 * SESSIONS):  # until nobody is in probation any more
        _beat(line, number % SESSIONS, sessions)
    for number in range(REMEMBERED):
        _whole_claim(line, number, sessions)
    line.spent.clear()
    for number in range(MEASURED):
        _whole_claim(line, number, sessions)
        _beat(line, number, sessions)
        expect = line.state.changes.get("params", -1)
        body = {"values": {"age": 60_000 + number}, "reason": "a bench", "by": "bench", "expect": expect}
        line.put("params", 0, sessions[0], body)
    beside = f"{SESSIONS} sessions, {len(line.state.handled):,} problems remembered"
    for t in ("claim", "intent", "release", "params", "beat"):
        line.told(t, f"{t}, {beside}")


def _whole_claim(line: Line, number: int, sessions: list[int]) -> None:
    agent = number % SESSIONS
    line.put("claim", agent, sessions[agent], {**_claim(agent), "problem": f"Slow/{line.state.offset}"})
    (claim,) = line.state.claims.values()
    held = {"id": claim.id, "token": claim.token}
    change = {"resource": f"broker/{agent}", "key": "rate", "operation": "set", "prior": None, "new": "1"}
    effect = {"action": "throttle_replication", "owner": f"broker-{agent}", "changes": [change]}
    line.put("intent", agent, sessions[agent], {**held, "effect": effect, "via": agent})
    line.put("release", agent, sessions[agent], {**held, "outcome": "undone"})


def _with_claims(line: Line, sessions: list[int]) -> None:
    for agent in range(500):
        line.put("claim", agent, sessions[agent], _claim(agent))
    line.told("claim", "claims, up to 400 granted and 100 that wait")
    for number in range(2_000):
        _beat(line, number % SESSIONS, sessions)
    line.told("beat", "beats beside 500 claims")


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
