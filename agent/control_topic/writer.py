"""Writes a record of the live session, and tells what the log's order made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from agent.control.membership import Key
from agent.control_topic.hearing import Hearing
from agent.control_topic.permission import Permission
from agent.control_topic.ports import ControlUnavailable, NotAccepted
from agent.control_topic.reader import Reader

Until = Callable[[Callable[[], bool]], Awaitable[None]]  # waits for what the log, or degraded mode, brings


class Writer:
    """The pen with the session's stamp; a record is refused here already where it is known to be void."""

    def __init__(self, hearing: Hearing, reader: Reader, permission: Permission, until: Until) -> None:
        self._hearing = hearing
        self._reader = reader
        self._permission = permission
        self._until = until

    async def write(self, t: str, x: Mapping[str, object]) -> int:
        """Its offset, once it was seen accepted. Raises NotAccepted, ControlUnavailable and BadRecord."""
        member = self._hearing.member
        await self._until(lambda: self._reader.caught_up or member.degraded is not None)
        return await self.written(lambda: self._stamped(t, x))

    def _stamped(self, t: str, x: Mapping[str, object]) -> tuple[Key, bytes]:
        member = self._hearing.member
        if why := member.degraded:
            raise ControlUnavailable(why)
        if t == "claim" and (why := self._permission.not_heard(str(x["kind"]))):
            raise NotAccepted(why)
        key, raw = member.stamp(self._reader.state, t, x)
        self._hearing.duties.hold.created(key[1], key[2], self._hearing.boot())
        return key, raw

    async def written(self, make: Callable[[], tuple[Key, bytes]]) -> int:
        """The offset of what `make` gives when its turn has come; raises NotAccepted, ControlUnavailable."""
        offset, void = await self._hearing.pen.write(make)
        if void is not None:
            raise NotAccepted(void)
        return offset
