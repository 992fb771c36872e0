"""A log folded from its start or from a snapshot, and how a person lets it be born (coordination.md sections
1 and 4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from agent.control.admission import born_elsewhere
from agent.control.fold import Verdict
from agent.control.records import Record, encode
from agent.control.state import State
from agent.control.times import Settings, genesis
from agent.control_topic.follower import Follower, ShorterLog
from agent.control_topic.ports import RETRY, Log
from agent.control_topic.start import FROM_START, Begin, beginning
from agent.kafka.errors import KafkaInDoubt


class AlreadyBorn(Exception):
    """The log has a genesis already; `state` says which."""

    def __init__(self, state: State) -> None:
        after = f" in place of {state.after}" if state.after else ""
        super().__init__(f"the log {state.log} is born already{after}")
        self.state = state


class BornElsewhere(Exception):
    """The log has a genesis that this release cannot read: another one would part the agents."""


async def walk(
    log: Log, begin: Begin = FROM_START, *, follow: bool = False
) -> AsyncIterator[tuple[State, Verdict]]:
    """Each record behind `begin`, with the state after it; `follow`: for ever.

    Raises LogGap, LogTruncated, KafkaError and, where it does not follow, ShorterLog.
    """
    follower = Follower(log, begin.state)
    while True:
        try:
            async for verdict in follower.read(eager=True):
                yield follower.state, verdict
        except ShorterLog:  # a new leader that has yet to catch up, or a lost tail: the next read tells
            if not follow:
                raise
            follower.doubt()
            await asyncio.sleep(RETRY)
        if not follow and follower.caught_up:
            return


async def folded(
    log: Log, told: Callable[[State, Verdict], None] = lambda *_: None, begin: Begin = FROM_START
) -> State:
    """The state at the log's end; as `walk`."""
    state = begin.state
    async for state, verdict in walk(log, begin):
        told(state, verdict)
    return state


async def bear(log: Log, settings: Settings, after: str = "") -> State:
    """Writes genesis, in place of the log `after`, and sees it accepted. Raises AlreadyBorn, BornElsewhere,
    KafkaError."""
    state = await folded(log, begin=await beginning(log, snapshot=False))
    if state.log:
        raise AlreadyBorn(state)
    if (why := born_elsewhere(state.log, state.voids)) is not None:
        raise BornElsewhere(why)
    x = genesis(log.topic_id, settings, after)
    last = state.offset
    record = Record("genesis", settings.fold_max, log.topic_id, settings.agent, -1, 0, last, state.digest, x)
    raw = encode(record)
    while not state.log:
        try:
            await log.append(raw)
        except KafkaInDoubt:  # it may land: the first of them counts, copies are void
            await asyncio.sleep(RETRY)
        state = await folded(log)
    if state.after != after:  # an agent was faster
        raise AlreadyBorn(state)
    return state
