"""Reloads that nobody ordered by name: on SIGHUP, and when the rule files have changed and come to rest.

Files are looked at every two seconds instead of being watched by inotify: an editor's rename, a ConfigMap's
swapped link, a checkout, rsync, a network mount all show in a few dozen `stat` calls, and none is lost.
"""

from __future__ import annotations

import asyncio
import contextlib

from agent.daemon.reload import Reload
from agent.rulebook.stamps import Stamp

POLL_S = 2.0
QUIET_S = 2.0  # a checkout or an rsync of all rules takes less between two files


class Rest:
    """Whether something has changed and come to rest; `now` is seconds of any clock that only goes on."""

    def __init__(self, quiet: float) -> None:
        self._quiet = quiet
        self._newest: Stamp | None = None
        self._since = 0.0

    def come(self, found: Stamp, done: Stamp, now: float) -> bool:
        """Whether `found` is not what was `done` last, and has stood for long enough."""
        if found != self._newest:
            self._newest, self._since = found, now
        return found != done and now - self._since >= self._quiet


class RuleWatch:
    """`files`: whether to look at them; else it only obeys `hang_up`."""

    def __init__(self, reload: Reload, *, files: bool, poll: float = POLL_S, quiet: float = QUIET_S) -> None:
        self._reload = reload
        self._files = files
        self._poll = poll
        self._rest = Rest(quiet)
        self._asked = asyncio.Event()

    def hang_up(self) -> None:
        """SIGHUP: read the files as soon as what is being read now is done."""
        self._asked.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll if self._files else None):
                    await self._asked.wait()
            await self._once()

    async def _once(self) -> None:
        if self._asked.is_set():
            self._asked.clear()
            await self._reload.reload(dry_run=False, by="SIGHUP")
            return
        found = await self._reload.stamp()
        if self._rest.come(found, self._reload.seen, asyncio.get_running_loop().time()):
            await self._reload.reload(dry_run=False, by="the files changed", only_news=True)
