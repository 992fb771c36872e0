"""How this agent comes into the log: by a genesis, or by a join."""

from __future__ import annotations

from agent.control.state import State
from agent.control.times import Settings
from agent.control_topic.hearing import Hearing
from agent.control_topic.own_cluster import OwnCluster
from agent.control_topic.ports import Log, NotAccepted, Surroundings
from agent.control_topic.reader import Reader
from agent.control_topic.writer import Writer


class Joining:
    """One attempt a call."""

    def __init__(
        self,
        log: Log,
        settings: Settings,
        around: Surroundings,
        hearing: Hearing,
        reader: Reader,
        writer: Writer,
    ) -> None:
        self._log = log
        self._settings = settings
        self._nonce = around.nonce
        self._hearing = hearing
        self._own_cluster = OwnCluster(around.place, hearing.member)
        self._reader = reader
        self._writer = writer

    async def enter(self) -> None:
        """Genesis, or a join; nothing in a log that is not this agent's."""
        state, member = self._reader.state, self._hearing.member
        if member.deviates:
            return
        if why := await self._stranger(state):
            member.lose(why, stuck=True)
        elif state.log:
            await self._join(state)
        elif self._settings.create:
            await self._writer.written(lambda: member.genesis(self._reader.state, self._log.topic_id))
        else:
            topic = self._settings.topic
            why = f"{topic} holds no genesis: start one agent with control.create: true"
            member.lose(why, stuck=True)

    async def _stranger(self, state: State) -> str | None:
        own, keeping = self._own_cluster, self._hearing.keeping
        return await own.unknown(keeping.kept.cluster) or own.stranger(state) or keeping.stranger(state)

    async def _join(self, state: State) -> None:
        member, keeping = self._hearing.member, self._hearing.keeping
        nonce, lost = self._nonce(), await keeping.join(state)
        try:
            await self._writer.written(lambda: member.join(self._reader.state, nonce, lost))
        except NotAccepted as error:
            member.refused(str(error))
            raise
        if lost.owed:
            await keeping.joined(self._reader.state)
