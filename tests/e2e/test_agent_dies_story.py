"""Agents die, or are stopped and woken, at each step of a claimed remedy: it is finished or undone, once."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from claimed_throttle import E_CONTROLLER, Story, behind, set_once
from kafka_relay import ALTER, API_VERSIONS, PRODUCE, Relays, Stop
from scene import Scene

from agent.control.adopter import OTHERS
from agent.control.state import ClaimState
from agent.control.times import LAB
from agent.control.witness import RANK_STEP
from agent.lab import processes
from agent.model import Kind

pytestmark = pytest.mark.e2e
LEADER, KILLED, STOPPED = 1, 2, 3
LAST = ("undo under way", "before the release")
STEPS = [LAST, ("effect sent", "effect stands"), ("queued", "granted", "intent written")]
CHOSEN = STEPS if os.environ.get("OTTLA_STORIES") == "all" else [LAST[:1]]  # all: some six minutes more
LEASE_S = 8
ACT_S = LAB.act / 1_000
# From the holder's death on (docs/coordination.md): its peers saw it; a peer's turn; all landed; undone.
ORPHAN_S = LAB.w / 1_000 + 7
CLOSED_S = ORPHAN_S + (OTHERS + RANK_STEP + LAB.act + E_CONTROLLER) / 1_000 + 3


@pytest.fixture
async def relays(scene: Scene) -> AsyncIterator[Relays]:
    """All that the agents say to brokers goes through them."""
    scene.agents = replace(scene.agents, servers=scene.lab.plan.relayed_bootstrap)
    async with Relays(scene.lab) as own:
        yield own


@pytest.mark.parametrize("steps", CHOSEN, ids=lambda steps: steps[0].replace(" ", "-"))
async def test_agents_die_or_are_stopped_at_a_step_of_a_claimed_remedy(
    scene: Scene, relays: Relays, steps: tuple[str, ...]
) -> None:
    """A few in one test, since an agent does no more than six things in an hour."""
    async with behind(scene, LEADER, (KILLED, STOPPED)) as story:
        await story.open()
        if "undo under way" in steps:
            await nobody_restarts_it(story, relays)
            await a_deadman_kills_it(story, relays)
        for step in steps:
            await die_and_sleep(story, relays, step)
        assert set_once(relays)


def client(node: int) -> str:
    """What an agent calls itself."""
    return f"ottla-broker-{node}"


async def die_and_sleep(story: Story, relays: Relays, step: str) -> None:
    """At this step one agent is killed and started again, the other stopped until its session has ended."""
    if step == "queued":
        await story.order("pause", "kind:throttle_replication", ask=LEADER)
    story.chapter("".join(word.capitalize() for word in step.split()), f"{LEASE_S}s")
    await asyncio.gather(killed(story, relays, step), stopped(story, relays, step))
    if step == "queued":
        await story.order("resume", "kind:throttle_replication", ask=LEADER)
    await story.over(ask=LEADER)


async def killed(story: Story, relays: Relays, step: str) -> None:
    """And back at once: what it had sent arrives after it died."""
    held = await reach(story, relays, KILLED, step)
    await story.kill(KILLED)
    give(held, step)
    await story.scene.agents.start(KILLED)
    story.say(f"agent {KILLED} is back")


async def stopped(story: Story, relays: Relays, step: str) -> None:
    """Until its peers have ended its session; what it had sent arrives meanwhile."""
    held = await reach(story, relays, STOPPED, step)
    session = story.session(STOPPED)
    story.pause(STOPPED)
    give(held, step)
    await story.until(
        f"agent {STOPPED}: its session was ended", lambda: session not in story.state.sessions, 90
    )
    story.wake(STOPPED)
    await story.until(f"agent {STOPPED}: joined again", lambda: story.session(STOPPED) is not None, 60)


async def reach(story: Story, relays: Relays, node: int, step: str) -> Stop | None:
    """Until the agent is at this step; what it is held by, if anything."""
    if step in ("queued", "granted"):
        state = ClaimState(step)
        await story.until(f"broker {node}: claim {state}", lambda: story.is_claimed(node, state))
        return None
    if step == "effect stands":
        await story.until(f"broker {node}: stands", lambda: Kind.DONE in story.told(node))
        return None
    if step == "before the release":
        stop = relays.stop(client(node), PRODUCE, b'"t":"release"')
    else:
        if step == "undo under way":
            await story.until(f"broker {node}: stands", lambda: Kind.DONE in story.told(node))
        stop = relays.stop(client(node), ALTER)
    await story.until(f"broker {node}: {step}", stop.reached.is_set, 90)
    return stop


def give(held: Stop | None, step: str) -> None:
    """What was on its way arrives, or is lost where the step is that nothing was sent."""
    if held is not None:
        held.lose() if step in ("intent written", "before the release") else held.deliver()


async def nobody_restarts_it(story: Story, relays: Relays) -> None:
    """Killed with its first request under way: both peers live, and undo what that does, in time."""
    story.chapter("LeftDead", f"{LEASE_S}s")
    held = await reach(story, relays, KILLED, "effect sent")
    killed = time.monotonic()
    await story.kill(KILLED)
    give(held, "effect sent")
    await story.until("peers see an orphan", lambda: story.is_claimed(KILLED, ClaimState.ORPHAN), 60)
    orphan = time.monotonic() - killed
    await story.until("peers closed the claim", lambda: story.claim(KILLED) is None, 120)
    closed = time.monotonic() - killed
    story.say(f"an orphan after {orphan:.1f} s of {ORPHAN_S:g}, closed after {closed:.1f} s of {CLOSED_S:g}")
    assert orphan <= ORPHAN_S
    assert closed <= CLOSED_S
    await story.scene.agents.start(KILLED)
    await story.over(ask=LEADER)


async def a_deadman_kills_it(story: Story, relays: Relays) -> None:
    """Who is stopped between look and send never sends."""
    story.chapter("LastLook", f"{LEASE_S}s")
    await killed_by_its_deadman(story, relays)
    await story.over(ask=LEADER)


async def killed_by_its_deadman(story: Story, relays: Relays) -> None:
    """Its last look waits for a stop file that never ends: there it is stopped, and the kernel kills it."""
    intent = relays.stop(client(STOPPED), PRODUCE, b'"t":"intent"')
    await story.until(f"broker {STOPPED}: its intent is under way", intent.reached.is_set, 90)
    fresh = relays.stop(client(STOPPED), API_VERSIONS)
    intent.deliver()
    await story.until(f"broker {STOPPED}: a connection for its effect", fresh.reached.is_set, 30)
    file = story.agent(STOPPED).folder / "stop"
    os.mkfifo(file)
    file.chmod(0o644)
    process = story.agent(STOPPED).process
    assert process is not None
    fresh.deliver()
    async with asyncio.timeout(20):
        while (pipe := pipe_of(file)) is None:
            await asyncio.sleep(0.01)
    processes.send(process, signal.SIGSTOP)  # at once: a look that takes 1.2 s is given up in words
    story.say(f"agent {STOPPED} is stopped at its last look")
    dead = f"agent {STOPPED}: its deadman killed it"
    await story.until(dead, lambda: story.agent(STOPPED).pid is None, ACT_S + 5)
    os.close(pipe)
    file.unlink()
    await story.scene.agents.start(STOPPED)
    story.say(f"agent {STOPPED} is back")


def pipe_of(fifo: Path) -> int | None:
    """Where somebody reads it: its other end, and as long as that is open the reader waits."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return None
