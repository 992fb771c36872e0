"""From a claim to its first effect on a real cluster in production times, alone and beside 1,000 agents.

OTTLA_BENCH_CLAIMS claims (200) are made one after the other by one agent beside two peers: queued, granted,
made dirty by an intent, a beat as the barrier, and the instant at which the effect's first byte would leave.
Then the same beside the records of OTTLA_BENCH_AGENTS agents (1,000): each joined, and beating as often as
the times say. A process of its own that only follows tells what that costs an idle agent, and what one record
costs is folded without a cluster before. What these claims lack of a remedy, claimed_remedy.py measures.
Targets: 1 s at p99, 100 µs a record, 2 % of a core.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import claimed_remedy
import control_fold
from lab_agents import on_a_lab

from agent.control.bodies import FOLD
from agent.control.records import Record, encode
from agent.control_topic import PRODUCTION, ControlTopic, Effects, Settings, Surroundings
from agent.deadman import Deadman, now
from agent.kafka.admin import Admin
from agent.kafka.connection import Security
from agent.kafka.log import PartitionLog
from agent.lab.cluster import Lab

CLAIMS = int(os.environ.get("OTTLA_BENCH_CLAIMS", "200"))
CROWD = int(os.environ.get("OTTLA_BENCH_AGENTS", "1000"))
TOPIC = "ottla-control"
FIRST = 1_000  # the number of the first agent of the crowd
IDLE_S = 60
READY_S = 120  # probation, settling and agreement take 60 s and a bit


class Instant:
    """An effect that changes nothing: when its first byte would have left."""

    def __init__(self) -> None:
        self.left = 0.0

    async def ready(self) -> Instant:
        """At once."""
        return self

    async def look(self) -> str | None:
        """Nothing objects."""
        return None

    async def send(self) -> None:
        """The instant."""
        self.left = time.monotonic()

    async def answer(self) -> None:
        """There is none."""

    async def close(self) -> None:
        """Nothing is open."""


def wall() -> int:
    """ms since the epoch."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def agent(bootstrap: Sequence[str], number: int) -> AsyncIterator[tuple[ControlTopic, PartitionLog]]:
    """One that has joined."""
    log = PartitionLog(bootstrap, Security(), TOPIC, client_id=f"bench-{number}", deadline=5)
    admin = Admin(bootstrap, Security(), client_id=f"bench-{number}", deadline=10)
    settings = Settings(f"broker-{number}", f"host-{number}", topic=TOPIC, times=PRODUCTION, create=True)
    control = ControlTopic(log, settings, Surroundings(wall, admin.create_topic, now))
    await control.start()
    try:
        yield control, log
    finally:
        await control.close()
        await log.close()
        await admin.close()


async def one(control: ControlTopic, effects: Effects, problem: str) -> float:
    """Milliseconds from the claim to its effect."""
    instant, began = Instant(), time.monotonic()
    claim = await control.claim("bench", ["quota"], problem, "a bench")
    await control.granted(claim)
    await control.intent(claim, '{"action":"bench","changes":[],"owner":"broker-1"}')
    await effects.apply(claim, instant.ready, instant.look, lambda _: None)
    took = (instant.left - began) * 1_000
    await control.release(claim, "undone")
    return took


async def many(control: ControlTopic, what: str) -> None:
    """Prints the distribution."""
    effects = Effects(control, Deadman())
    async with asyncio.timeout(READY_S):  # the first waits for the session's probation
        await one(control, effects, f"{what}/warm")
    took = sorted([await one(control, effects, f"{what}/{number}") for number in range(CLAIMS)])
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(f"claim to first effect, {what:36} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  most {took[-1]:6.1f} ms")


async def join_all(control: ControlTopic, log: PartitionLog) -> list[int]:
    """The crowd's sessions."""
    body = {"host": "", "rack": "", "incarnation": 1, "fold_max": FOLD, "version": "bench"}
    body |= {"redeclare": [], "handled": []}
    sessions = []
    for number in range(FIRST, FIRST + CROWD):
        join = {**body, "nonce": f"{number:032x}"}
        sessions.append(await log.append(_record(control, "join", number, (-1, 0), join)))
    return sessions


async def beat_for_ever(control: ControlTopic, log: PartitionLog, sessions: Sequence[int]) -> None:
    """Each of the crowd in its turn, as often as production's times say."""
    n, pause = 0, PRODUCTION.params()["beat_most"] / 1_000 / len(sessions)
    due = time.monotonic()
    while True:
        for number, session in enumerate(sessions, FIRST):
            beat = {"status": "", "firing": []}
            await log.append(_record(control, "beat", number, (session, n + 1), beat))
            due += pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        n += 1


def _record(
    control: ControlTopic, t: str, number: int, key: tuple[int, int], x: Mapping[str, object]
) -> bytes:
    state = control.state
    return encode(
        Record(t, state.version, state.log, f"broker-{number}", *key, state.offset, state.digest, x)
    )


async def follow(bootstrap: Sequence[str], number: int) -> None:
    """A process that only follows: says when it has joined, then at each line on stdin what a minute cost."""
    async with agent(bootstrap, number) as (control, _):
        print("joined", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            before, offset = resource.getrusage(resource.RUSAGE_SELF), control.state.offset
            await asyncio.sleep(IDLE_S)
            after = resource.getrusage(resource.RUSAGE_SELF)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            records = (control.state.offset - offset) / IDLE_S
            print(f"{spent / IDLE_S:.2%} of a core, {records:.0f} records/s", flush=True)


@asynccontextmanager
async def follower(bootstrap: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Agent 2, in a process of its own."""
    program = [sys.executable, __file__, "follow", ",".join(bootstrap)]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # what this one imports
    process = await asyncio.create_subprocess_exec(*program, stdin=-1, stdout=-1, env=found)
    assert process.stdout is not None
    async with asyncio.timeout(READY_S):
        assert await process.stdout.readline() == b"joined\n"
    yield process
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(READY_S):
        await process.wait()


async def cost(process: asyncio.subprocess.Process, what: str) -> None:
    """Prints what a minute of following costs."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    print(f"an agent that follows, {what:38} {(await process.stdout.readline()).decode().strip()}")


async def measure(lab: Lab) -> None:
    """Every figure."""
    await lab.up()
    servers = lab.bootstrap
    async with agent(servers, 1) as (control, log), agent(servers, 3), follower(servers) as second:
        await many(control, "3 agents")
        await cost(second, "3 agents")
        sessions = await join_all(control, log)
        beating = asyncio.create_task(beat_for_ever(control, log, sessions))
        try:
            await many(control, f"{CROWD} more agents' records beside it")
            await cost(second, f"{CROWD} more agents")
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


def main() -> None:
    """The fold, then the rest on a lab of its own, and whole remedies on another."""
    control_fold.main()
    on_a_lab(measure)
    claimed_remedy.main()


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[2].split(","), 2))
