"""The window store on disk: read at the start, written every two minutes and at the end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from pathlib import Path

from agent.lone_thread import LoneThread
from agent.series import Series
from agent.series.snapshot import BadSnapshot, restore, written
from agent.sources.agent_itself import Saved

log = logging.getLogger(__name__)
FILE = "series.snapshot"
# Well within the five minutes that an instant selector looks back: after a crash nothing is cold either.
EVERY_S = 120.0
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_DEADLINE_S = 30.0
_NAMED = 10  # of the metrics that are left out, in the log
_LAST_S = 2.0  # at the end: a hung disk keeps nobody from stopping the agent


class Snapshots:
    """The snapshot in `folder`. Its thread is its own: a disk that hangs costs snapshots and nothing else.

    `keep` saves what sources go on from, before a snapshot counts: no counter may be less after a restart
    than the store remembers.
    """

    def __init__(
        self,
        series: Series,
        folder: Path,
        clock: Callable[[], int],
        saved: Saved,
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        self._series = series
        self._beside = folder / f"{Path(FILE).stem}.new"
        self._keep = keep
        self._file = folder / FILE
        self._clock = clock
        self._saved = saved
        self._thread = LoneThread("snapshot of the window store")

    async def load(self) -> None:
        """Fill the store, empty yet, with what a former life left. What is damaged is told and ignored."""
        try:
            self._series.become(await self._thread.run(self._load, _DEADLINE_S))
        except FileNotFoundError:
            return
        except (BadSnapshot, OSError) as error:
            self._saved.ignored += 1
            log.warning("%s is ignored, so rules are cold until the window has filled: %s", self._file, error)

    async def run(self) -> None:
        """Write one every two minutes."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.save(_DEADLINE_S)

    async def save(self, deadline: float = _LAST_S) -> None:
        """Write one now; what keeps it from being written is told and counted."""
        now = self._clock()
        try:
            size, left_out = await self._thread.run(self._write, deadline)
            async with asyncio.timeout(deadline):
                await self._keep()  # after it was written: samples come meanwhile
            await self._thread.run(self._replace, deadline)
            self._saved.bytes, self._saved.at = size, now
            self._tell(left_out)
        except OSError as error:
            self._saved.failed += 1
            log.warning("%s was not written, the one before stands: %s", self._file, error)

    def _load(self) -> Series:
        """Into a store of its own: who waits for it may have given up by the end, and use the other."""
        series = self._series.alike()
        with self._file.open("rb") as stream:
            restore(series, stream, self._clock())
        return series

    def _tell(self, left_out: Set[str]) -> None:
        if left_out and not self._saved.left_out:
            log.warning(
                "%s has no room for %d metrics: rules that read them are cold after a restart: %s",
                self._file,
                len(left_out),
                ", ".join(sorted(left_out)[:_NAMED]),
            )
        self._saved.left_out = len(left_out)

    def _write(self) -> tuple[int, Set[str]]:
        """All of it beside the one that stands, and on the disk before it may take its place; its size, and
        the metrics that had no room."""
        left_out = set[str]()
        try:
            with os.fdopen(os.open(self._beside, _NEW, 0o640), "wb") as stream:
                for part in written(self._series, left_out):
                    stream.write(part)
                size = stream.tell()
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            with suppress(OSError):
                self._beside.unlink()
            raise
        return size, left_out

    def _replace(self) -> None:
        self._beside.replace(self._file)
        _sync(self._file.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
