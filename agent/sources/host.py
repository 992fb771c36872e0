"""The host's view of the log dirs: space and inodes, as a process that is not root may use them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import partial

from msgspec import Struct

from agent.lone_thread import LoneThread
from agent.model import Sample
from agent.sources import MetricInfo, SourceFailed
from agent.sources.disk_stats import volume_of
from agent.sources.reasons import Reasons

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own

METRICS = (
    MetricInfo(
        "host_log_dir_used_ratio",
        "gauge",
        "ratio",
        "1 - f_bavail/f_blocks of its file system: the share that the broker, who is not root, cannot use",
    ),
    MetricInfo("host_log_dir_total_bytes", "gauge", "bytes", "Size of the log dir's file system"),
    MetricInfo("host_log_dir_usable_bytes", "gauge", "bytes", "What the broker can still write there"),
    MetricInfo(
        "host_log_dir_inodes_used_ratio", "gauge", "ratio", "Inodes in use; absent where there is no limit"
    ),
    MetricInfo(
        "host_log_dir_unread_total",
        "counter",
        "",
        "Readings that gave nothing: the log dir is missing, errs, or hangs, or its file system has no size",
    ),
)

_NAMES = frozenset(metric.name for metric in METRICS)


class LogDirPath(Struct, frozen=True):
    """A log dir. `capacity` (bytes) makes a plain folder a disk of that size; its usage is then summed up.

    `probe_file` is what the write probe writes instead of a file in the log dir itself.
    """

    path: str
    capacity: int | None = None
    probe_file: str | None = None


class Space(Struct, frozen=True):
    """Bytes of one log dir, and its inodes in use (0 to 1, None without a limit)."""

    total: int
    usable: int
    inodes_used: float | None


class LogDirs:
    """Reads the space of each log dir, each in a thread of its own: a hung disk hides only itself.

    `deadline` (seconds) is for one log dir's answer.
    """

    name = "host"
    partial = False
    metrics = METRICS

    def __init__(self, folders: Sequence[LogDirPath], interval_ms: int, deadline: float = 2.0) -> None:
        self.interval_ms = interval_ms
        self.unread = frozenset[str]()
        self._folders = {folder.path: folder for folder in folders}
        self._threads = {path: LoneThread(f"reading of {path}") for path in self._folders}
        self._unread = dict.fromkeys(self._folders, 0)
        self._reasons = Reasons("log dir")
        self._deadline = deadline

    @property
    def failed(self) -> Mapping[str, str]:
        """See Partly: by log dir."""
        return self._reasons.now

    async def read(self, now: int) -> list[Sample]:
        """One reading of all log dirs; what gives nothing is counted and left out, so that its series end."""
        readings = await asyncio.gather(*(self._read_one(path, now) for path in self._folders))
        samples = [sample for reading in readings for sample in reading]
        complete = all(len(reading) > 1 for reading in readings)
        self.unread = frozenset() if complete else _NAMES - {sample.name for sample in samples}
        return samples

    async def free_bytes(self, path: str) -> tuple[int, int]:
        """(usable, total) bytes of a log dir, as of now. TimeoutError where its disk hangs, OSError where it
        errs, SourceFailed where it is none of this broker's."""
        space = await self._space(path)
        return space.usable, space.total

    async def volume(self, path: str) -> str:
        """What has its room: log dirs with the same share it. Raises as `free_bytes`."""
        self._check(path)
        if self._folders[path].capacity is not None:
            return path
        return await self._threads[path].run(partial(volume_of, path), self._deadline)

    async def _space(self, path: str) -> Space:
        self._check(path)
        return await self._threads[path].run(partial(measure, self._folders[path]), self._deadline)

    def _check(self, path: str) -> None:
        if path not in self._folders:
            raise SourceFailed(f"{path} is not a log dir of this broker; it has {', '.join(self._folders)}")

    async def _read_one(self, path: str, now: int) -> list[Sample]:
        values: dict[str, float] = {}
        try:
            space = await self._space(path)
        except OSError as error:  # TimeoutError is one
            self._unread[path] += 1
            self._reasons.learn(path, str(error))
        else:
            self._reasons.learn(path, None)
            values = {
                "host_log_dir_used_ratio": 1 - space.usable / space.total,
                "host_log_dir_total_bytes": float(space.total),
                "host_log_dir_usable_bytes": float(space.usable),
            }
            if space.inodes_used is not None:
                values["host_log_dir_inodes_used_ratio"] = space.inodes_used
        values["host_log_dir_unread_total"] = float(self._unread[path])
        return [Sample(name, (("path", path),), now, value) for name, value in values.items()]


def measure(folder: LogDirPath) -> Space:
    """The space of one log dir; blocks, perhaps for ever where the disk hangs. OSError where it errs, or says
    what an automount says whose volume is gone."""
    stats = os.statvfs(folder.path)
    total = stats.f_blocks * stats.f_frsize if folder.capacity is None else folder.capacity
    if not stats.f_blocks or not total:
        raise OSError(f"the file system of {folder.path} says that it has no blocks")
    inodes_used = 1 - stats.f_favail / stats.f_files if stats.f_files else None
    usable = stats.f_bavail * stats.f_frsize
    if folder.capacity is not None:
        usable = max(0, min(folder.capacity - _usage(folder.path), usable))
    return Space(total, usable, inodes_used)


def _usage(path: str) -> int:
    """Bytes on disk below a folder; what vanishes while it is counted counts nothing."""
    total = 0
    folders = [path]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
        except FileNotFoundError:
            continue
    return total
